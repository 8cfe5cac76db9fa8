// The five requirements of the library, tested on a real trainer. `phase_26 NAME` runs one of them;
// ctest runs each.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <lightwatch/checkpoint.hpp>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "trainer/run.hpp"

namespace {

using lightwatch::ErrorCode;
using trainer::Run;

constexpr const char *optimizers[] = {"SGD", "AdamW"};

void expect(bool condition, const std::string &what) {
  if (!condition) throw std::runtime_error("expected " + what);
}

/// The code of the CheckpointError that `run` throws.
template <class Action>
ErrorCode code_of(const Action &run) {
  try {
    run();
  } catch (const lightwatch::CheckpointError &error) {
    return error.code();
  }
  throw std::runtime_error("expected an error");
}

/// A folder that is removed after the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "phase-26-XXXXXX").string();
    if (::mkdtemp(&name[0]) == nullptr) throw std::runtime_error("there is no temporary folder");
    path_ = name;
  }
  Folder(const Folder &) = delete;
  Folder &operator=(const Folder &) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string &name) const { return (path_ / name).string(); }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

 private:
  std::filesystem::path path_;
};

std::string bytes_of(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
std::string bits(const trainer::Tensor<T> &tensor) {
  return {reinterpret_cast<const char *>(tensor.data()), tensor.size() * sizeof(T)};
}

/// Every bit that decides how a run continues.
std::string state_of(const Run &run) {
  std::string state;
  for (const auto &entry : run.model.state_dict()) state += bits(entry.second);
  for (const auto &entry : run.optimizer->state_dict()) state += bits(entry.second);
  for (const auto &entry : run.random.state_dict()) state += bits(entry.second);
  for (const auto &[key, value] : run.optimizer->attributes()) {
    const double number = value.number().value();
    state += key;
    state.append(reinterpret_cast<const char *>(&number), sizeof number);
  }
  return state;
}

lightwatch::SaveOptions with_random(Run &run) {
  lightwatch::SaveOptions options;
  options.extras.emplace_back("random", lightwatch::state_of(run.random));
  return options;
}

void restore_all(const lightwatch::Checkpoint &checkpoint, Run &run) {
  lightwatch::RestoreOptions options;
  options.extras.emplace_back("random", lightwatch::RestoreTarget(run.random));
  lightwatch::restore_checkpoint(checkpoint, run.model, *run.optimizer, options);
}

void test_phase_26_save_load() {
  const Folder folder;
  for (const char *optimizer : optimizers) {
    const std::string path = folder / optimizer;
    Run run(optimizer);
    run.train(25);
    lightwatch::save_checkpoint(path, run.model, *run.optimizer, with_random(run));
    const std::string saved = state_of(run);

    // As in a new process, but this run has already trained differently.
    Run resumed(optimizer);
    resumed.train(3);
    expect(state_of(resumed) != saved, "another state before the restore");
    restore_all(lightwatch::load_checkpoint(path), resumed);
    expect(state_of(resumed) == saved, "the saved state");

    // The run continues, bit for bit, as if it had never stopped.
    const std::vector<float> losses = run.train(40);
    expect(resumed.train(40) == losses, "the losses of the run that went on");
    expect(losses.back() < losses.front(), "a training that learns");
    expect(state_of(resumed) == state_of(run), "the state of the run that went on");

    // The same state gives the same bytes.
    lightwatch::save_checkpoint(folder / "one", run.model, *run.optimizer, with_random(run));
    lightwatch::save_checkpoint(folder / "two", resumed.model, *resumed.optimizer,
                                with_random(resumed));
    expect(bytes_of(folder / "one") == bytes_of(folder / "two"), "the same bytes");
  }
}

void test_phase_26_optimizer_state() {
  const Folder folder;
  for (const char *kind : optimizers) {
    const std::string path = folder / kind;
    Run run(kind);
    run.train(25);
    run.optimizer->lr /= 3;
    lightwatch::save_checkpoint(path, run.model, *run.optimizer, 1, 25, 0.5);

    const auto checkpoint = lightwatch::load_checkpoint(path);
    expect(checkpoint.optimizer_state.kind() == kind, "the optimizer's kind");
    const std::vector<std::string> buffers =
        kind == std::string("SGD") ? std::vector<std::string>{"momentum_buffer"}
                                   : std::vector<std::string>{"exp_avg", "exp_avg_sq"};
    std::size_t number = 0;
    for (const std::string &buffer : buffers) {
      for (const auto &entry : run.model.named_parameters()) {
        const lightwatch::Tensor tensor = checkpoint.optimizer_state.tensor(number++);
        expect(tensor.name() == buffer + "/" + entry.first, "the buffers in their order");
        bool holds_something = false;
        for (const float element : tensor.as<float>()) holds_something |= element != 0;
        expect(holds_something, "a buffer that holds something, or it proves nothing");
      }
    }

    Run resumed(kind);
    resumed.random = trainer::Random(7);
    lightwatch::restore_checkpoint(checkpoint, resumed.model, *resumed.optimizer);
    expect(resumed.optimizer->lr == run.optimizer->lr, "the learning rate");
    const auto &restored = resumed.optimizer->state_dict();
    for (std::size_t i = 0; i < restored.size(); i++) {
      expect(bits(restored[i].second) == bits(run.optimizer->state_dict()[i].second),
             "the bits of " + restored[i].first);
    }

    // The buffers matter: with only the model restored, the same batches give other losses.
    Run forgetful(kind);
    forgetful.random = trainer::Random(7);
    lightwatch::restore_checkpoint(checkpoint, forgetful.model);
    expect(forgetful.train(5) != resumed.train(5), "another way without the buffers");
  }
}

void test_phase_26_metadata() {
  const Folder folder;
  const std::string path = folder / "run.ckpt";
  Run run("SGD");
  const double loss = run.train(25).back();
  const std::string config = "{\"lr\": 1.0e-3, \"layers\": [2, 16, 1]}";
  lightwatch::save_checkpoint(path, run.model, *run.optimizer, 3, 25, loss, config);
  {
    const auto checkpoint = lightwatch::load_checkpoint(path);
    expect(checkpoint.epoch == 3, "the epoch");
    expect(checkpoint.step == 25, "the step");
    expect(checkpoint.loss == loss, "the loss");
    expect(checkpoint.config_json == config, "the config, to the letter");
    expect(checkpoint.model_state.size() == 4, "four tensors of the model");
    expect(checkpoint.model_state.begin() != checkpoint.model_state.end() &&
               (*checkpoint.model_state.begin()).first == "first.weight",
           "the order of the state dict");
    const auto report = lightwatch::restore_checkpoint(checkpoint, run.model, *run.optimizer);
    expect(report.epoch == 3 && report.step == 25 && report.loss == loss, "the progress");
  }
  constexpr std::int64_t most = (std::int64_t{1} << 53) - 1;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double unusual : {std::nan(""), infinity, -infinity, -0.0, 5e-324}) {
    lightwatch::SaveOptions options;
    options.epoch = most;
    options.step = -most;
    options.loss = unusual;
    options.metrics = {{"accuracy", 0.1 + 0.2}, {"perplexity/val", infinity}};
    lightwatch::save_checkpoint(path, run.model, nullptr, options);
    const auto checkpoint = lightwatch::load_checkpoint(path);
    const double found = checkpoint.loss().value();
    expect(std::memcmp(&found, &unusual, sizeof found) == 0, "the bits of the loss");
    expect(checkpoint.epoch == most && checkpoint.step == -most, "integers at their limits");
    expect(checkpoint.metrics().at("accuracy") == 0.1 + 0.2, "the metrics");
    expect(checkpoint.optimizer_state.empty() && !checkpoint.optimizer(), "no optimizer");
    expect(checkpoint.config_json.empty() && !checkpoint.config(), "no config");
  }
  lightwatch::save_checkpoint(path, run.model, nullptr, lightwatch::SaveOptions{});
  const auto checkpoint = lightwatch::load_checkpoint(path);
  expect(!checkpoint.loss() && std::isnan(checkpoint.loss), "no loss yet");
}

/// A state in which every element is the number of its generation.
struct Generation {
  explicit Generation(float number) : tensors{{"weight", std::vector<float>(1 << 20, number)},
                                              {"bias", std::vector<float>(1000, number)}} {}
  std::map<std::string, std::vector<float>> &state_dict() { return tensors; }
  std::map<std::string, std::vector<float>> tensors;
};

/// The generation of a file. Every byte is read.
std::int64_t generation_at(const std::string &path) {
  const auto checkpoint = lightwatch::load_checkpoint(path);
  checkpoint.verify();
  for (const auto &[name, tensor] : checkpoint.model_state) {
    bool whole = true;
    for (const float element : tensor.as<float>()) {
      whole = whole && element == static_cast<float>(checkpoint.step());
    }
    expect(whole, "elements of one generation");
  }
  return checkpoint.step;
}

/// A process that saves one generation after another, and prints each after its save.
class EndlessSaver {
 public:
  EndlessSaver(const std::string &path, std::int64_t first) {
    int pipe[2];
    if (::pipe(pipe) != 0) throw std::runtime_error("there is no pipe");
    process_ = ::fork();
    if (process_ == 0) {
      for (std::int64_t i = first;; i++) {
        Generation generation(static_cast<float>(i));
        lightwatch::save_checkpoint(path, generation, nullptr, 0, i, 0);
        if (::write(pipe[1], &i, sizeof i) != sizeof i) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    told_ = pipe[0];
  }
  EndlessSaver(const EndlessSaver &) = delete;
  EndlessSaver &operator=(const EndlessSaver &) = delete;

  /// Kills the process, and returns the last generation that it printed.
  std::int64_t kill_after(std::chrono::milliseconds time) {
    std::int64_t last = 0;
    expect(::read(told_, &last, sizeof last) == sizeof last, "a save");
    std::this_thread::sleep_for(time);
    ::kill(process_, SIGKILL);
    while (::read(told_, &last, sizeof last) == sizeof last) continue;
    ::close(told_);
    int status = 0;
    ::waitpid(process_, &status, 0);
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a saver that saved until the end");
    return last;
  }

 private:
  pid_t process_ = -1;
  int told_ = -1;
};

void test_phase_26_atomic() {
  const Folder folder;
  const std::string path = folder / "run.ckpt";
  // After a kill at any moment, the path holds the last committed generation or the next one,
  // complete.
  std::int64_t latest = 0;
  for (int round = 0; round < 12; round++) {
    EndlessSaver saver(path, latest + 1);
    latest = saver.kill_after(std::chrono::milliseconds(round * 7));
    const std::int64_t found = generation_at(path);
    expect(found == latest || found == latest + 1, "the committed generation or the next one");
    latest = found;
  }
  // A limit on the file size stands for a full disk: the save throws, and the old file stays.
  const std::string before = bytes_of(path);
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit unlimited = {};
  ::getrlimit(RLIMIT_FSIZE, &unlimited);
  for (const rlim_t room : {0ul, 100ul, 1ul << 20, 3ul << 20}) {
    const struct rlimit limit = {room, unlimited.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Generation generation(1e6f);
    const ErrorCode code = code_of(
        [&] { lightwatch::save_checkpoint(path, generation, nullptr, 0, 1000000, 0); });
    ::setrlimit(RLIMIT_FSIZE, &unlimited);
    expect(code == ErrorCode::not_committed, "CKPT_NOT_COMMITTED");
    expect(bytes_of(path) == before, "the file that was there");
    expect(folder.names().size() == 1, "no temporary file");
  }
  // The next save removes the temporary files of the killed ones.
  Generation generation(9999);
  lightwatch::save_checkpoint(path, generation, nullptr, 0, 9999, 0);
  expect(generation_at(path) == 9999, "the last generation");
  expect(folder.names() == std::vector<std::string>{"run.ckpt"}, "nothing but the checkpoint");
}

void test_phase_26_missing_key() {
  using Dict = std::map<std::string, std::vector<float>>;
  const Folder folder;
  const std::string path = folder / "partial.ckpt";
  Dict saved{{"bias", {1, 2}}, {"old", {3}}, {"weight", {4, 5, 6}}};
  lightwatch::save_checkpoint(path, saved, nullptr, 0, 0, 0);
  const auto checkpoint = lightwatch::load_checkpoint(path);

  Dict target{{"bias", {0, 0}}, {"new", {7}}, {"weight", {0, 0, 0}}};
  const Dict before = target;
  try {
    lightwatch::restore_checkpoint(checkpoint, target);
    expect(false, "an error");
  } catch (const lightwatch::StateMismatchError &error) {
    expect(error.code() == ErrorCode::state_mismatch, "CKPT_STATE_MISMATCH");
    const lightwatch::TensorKey missing{"model", "new"};
    const lightwatch::TensorKey unexpected{"model", "old"};
    expect(error.comparison().missing == std::vector{missing}, "the missing key");
    expect(error.comparison().unexpected == std::vector{unexpected}, "the unexpected key");
  }
  expect(target == before, "nothing restored");

  lightwatch::RestoreOptions options;
  options.strict = false;
  std::vector<std::string> warnings;
  options.on_warning = [&](const std::string &message) { warnings.push_back(message); };
  const auto report = lightwatch::restore_checkpoint(checkpoint, target, nullptr, options);
  expect(target == Dict{{"bias", {1, 2}}, {"new", {7}}, {"weight", {4, 5, 6}}}, "the rest restored");
  expect(warnings.size() == 1 && warnings[0].find("\"new\"") != std::string::npos &&
             warnings[0].find("\"old\"") != std::string::npos,
         "one warning that names both keys");
  expect(report.tensors == 2 && report.missing.size() == 1 && report.unexpected.size() == 1,
         "a report of it");

  // A different shape or dtype is an error even if the restore is not strict.
  Dict other{{"bias", {0, 0, 0}}, {"weight", {0, 0, 0}}};
  const Dict untouched = other;
  expect(code_of([&] { lightwatch::restore_checkpoint(checkpoint, other, nullptr, options); }) ==
             ErrorCode::state_mismatch,
         "CKPT_STATE_MISMATCH for another shape");
  expect(other == untouched, "nothing restored");
  std::map<std::string, std::vector<std::int32_t>> integers{{"weight", {0, 0, 0}}};
  expect(code_of([&] { lightwatch::restore_checkpoint(checkpoint, integers, nullptr, options); }) ==
             ErrorCode::state_mismatch,
         "CKPT_STATE_MISMATCH for another dtype");
}

const std::map<std::string, void (*)()> tests = {
    {"test_phase_26_save_load", test_phase_26_save_load},
    {"test_phase_26_optimizer_state", test_phase_26_optimizer_state},
    {"test_phase_26_metadata", test_phase_26_metadata},
    {"test_phase_26_atomic", test_phase_26_atomic},
    {"test_phase_26_missing_key", test_phase_26_missing_key}};

}  // namespace

int main(int, char **arguments) {
  try {
    tests.at(arguments[1])();
    return 0;
  } catch (const std::exception &error) {
    std::cerr << arguments[1] << ": " << error.what() << "\n";
    return 1;
  }
}
