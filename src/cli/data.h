// cli/data.h: `parvis backup`, `restore` and `prune`: the state in a data directory, of a running platform or of none.
#pragma once

#include <filesystem>
#include <string>

#include "cli/remote.h"
#include "platform/options.h"

namespace parvis::cli {

struct DataArguments {
  std::filesystem::path file;          // backup and restore
  std::filesystem::path seal_key;      // restore: the old installation's <data>/seal-key; empty: a new one will be made
  std::filesystem::path data_dir = ".parvis";
  RemoteOptions remote;                // endpoint_url empty: found by the data directory
  platform::Options platform;          // for prune without a running platform
  bool yes = false;
};

// A consistent copy, while the platform serves or while none runs. The file is new, 0600, and has been read back.
int run_backup(const DataArguments& arguments);
// Into a data directory that has nothing in it yet. Without the old seal key, what was sealed with it (SecureStrings) cannot be read.
int run_restore(const DataArguments& arguments);
// Lists what left the template and is kept for its data, asks, and deletes it.
int run_prune(const DataArguments& arguments);

}  // namespace parvis::cli
