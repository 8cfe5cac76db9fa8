// Saves, loads and restores .ckpt files, the checkpoints of training runs, by three functions:
//
//     lightwatch::save_checkpoint(path, model, optimizer, epoch, step, loss, config);
//     const auto checkpoint = lightwatch::load_checkpoint(path);
//     lightwatch::restore_checkpoint(checkpoint, model, optimizer);
//
// A model or an optimizer is anything with a `state_dict()`: see StateDict and TensorTraits. A save
// replaces the file in one step and survives a power cut. A load verifies the metadata in full and
// maps the file. A tensor is a view of the file, verified when its bytes are first used. A restore
// compares every name, dtype and shape, and verifies every checksum, before it writes the first
// byte. Every fault of a file or a disk is a lightwatch::CheckpointError.

#ifndef LIGHTWATCH_CHECKPOINT_HPP
#define LIGHTWATCH_CHECKPOINT_HPP

#include "lightwatch/checkpoint/load.hpp"
#include "lightwatch/checkpoint/restore.hpp"
#include "lightwatch/checkpoint/save.hpp"

#endif
