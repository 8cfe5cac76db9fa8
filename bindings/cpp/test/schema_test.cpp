// The verifier's tables are those of the schema, as flatc says them.

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <lightwatch/checkpoint/schema.hpp>
#include <map>
#include <string>

#include "files.hpp"

// With its schema in it, so that nothing of FlatBuffers has to be linked.
#include <flatbuffers/reflection_generated.h>

namespace {

using lightwatch::detail::FieldType;
using lightwatch::detail::TableType;

/// A field, in one line.
std::string described(const lightwatch::detail::FieldDescription &field) {
  const std::string table = description_of(field.table).name;
  const std::string size = std::to_string(field.size);
  std::string type;
  switch (field.type) {
    case FieldType::number: type = "number of " + size; break;
    case FieldType::boolean: type = "boolean of " + size; break;
    case FieldType::string: type = "string"; break;
    case FieldType::table: type = "table " + table; break;
    case FieldType::numbers: type = "numbers of " + size; break;
    case FieldType::tables: type = "tables " + table; break;
    case FieldType::segment: type = "segment of " + size; break;
  }
  return std::to_string(field.slot) + " " + field.name + (field.required ? " required " : " ") + type;
}

std::size_t size_of(reflection::BaseType type) {
  using reflection::BaseType;
  switch (type) {
    case BaseType::Bool:
    case BaseType::Byte:
    case BaseType::UByte: return 1;
    case BaseType::Short:
    case BaseType::UShort: return 2;
    case BaseType::Int:
    case BaseType::UInt:
    case BaseType::Float: return 4;
    case BaseType::Long:
    case BaseType::ULong:
    case BaseType::Double: return 8;
    default: return 0;
  }
}

std::string short_name(const flatbuffers::String *name) {
  const std::string whole = name->str();
  return whole.substr(whole.rfind('.') + 1);
}

std::string reflected(const reflection::Schema &schema, const reflection::Field &field) {
  using reflection::BaseType;
  const reflection::Type &of = *field.type();
  const auto table = [&] {
    return short_name(schema.objects()->Get(static_cast<std::uint32_t>(of.index()))->name());
  };
  std::string type;
  switch (of.base_type()) {
    case BaseType::String: type = "string"; break;
    case BaseType::Obj: type = "table " + table(); break;
    case BaseType::Vector:
      if (of.element() == BaseType::Obj) {
        type = "tables " + table();
      } else {
        const bool segment = field.attributes() != nullptr &&
                             field.attributes()->LookupByKey("segment") != nullptr;
        type = (segment ? "segment of " : "numbers of ") + std::to_string(size_of(of.element()));
      }
      break;
    case BaseType::Bool: type = "boolean of 1"; break;
    default: type = "number of " + std::to_string(size_of(of.base_type()));
  }
  return std::to_string(field.offset()) + " " + field.name()->str() +
         (field.required() ? " required " : " ") + type;
}

TEST(Schema, TablesAreThoseOfFlatc) {
  const Bytes bytes = read_bytes(LIGHTWATCH_REFLECTED_SCHEMA);
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  ASSERT_TRUE(reflection::VerifySchemaBuffer(verifier));
  const reflection::Schema &schema = *reflection::GetSchema(bytes.data());
  EXPECT_EQ(schema.file_ident()->str(), lightwatch::detail::file_identifier);
  EXPECT_EQ(short_name(schema.root_table()->name()), description_of(TableType::checkpoint).name);

  std::map<std::string, std::map<std::uint16_t, std::string>> expected;
  for (const reflection::Object *object : *schema.objects()) {
    EXPECT_FALSE(object->is_struct());
    for (const reflection::Field *field : *object->fields()) {
      EXPECT_FALSE(field->deprecated());
      expected[short_name(object->name())][field->offset()] = reflected(schema, *field);
    }
  }
  std::map<std::string, std::map<std::uint16_t, std::string>> actual;
  for (const lightwatch::detail::TableDescription &table : lightwatch::detail::tables) {
    std::uint16_t before = 0;
    for (const lightwatch::detail::FieldDescription &field : table.fields) {
      EXPECT_GT(field.slot, before) << "fields are verified in the order of their slots";
      before = field.slot;
      actual[table.name][field.slot] = described(field);
    }
  }
  EXPECT_EQ(actual, expected);
}

}  // namespace
