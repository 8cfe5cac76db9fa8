module github.com/lightwatch/lightwatch-checkpoint/bindings/go

go 1.21

require github.com/google/flatbuffers v25.9.23+incompatible
