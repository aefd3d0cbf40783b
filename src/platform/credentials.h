// platform/credentials.h: the secrets that live beside the data, in files that only their owner can read.
//
//   <data>/credentials   the root access key, in the form of AWS's shared credentials file
//   <data>/session-key   what session tokens are sealed with
//   <data>/seal-key      what values are sealed with that must not be readable in the store (both commands)
#pragma once

#include <filesystem>
#include <string>

#include "core/entropy.h"
#include "core/seal.h"

namespace parvis::platform {

struct RootCredentials {
  std::string access_key_id, secret_access_key;
  std::string session_key;
  std::filesystem::path file;  // empty: the key is from PARVIS_ROOT_ACCESS_KEY_ID and PARVIS_ROOT_SECRET_ACCESS_KEY
};

// Reads them, or makes them at the first start. Throws StartError: a file that others may read, that is no file of ours, or
// that cannot be written; one variable without the other.
RootCredentials load_credentials(const std::filesystem::path& data_dir, Entropy& entropy);

// Throws StartError likewise.
SealKey load_seal_key(const std::filesystem::path& data_dir, Entropy& entropy);

}  // namespace parvis::platform
