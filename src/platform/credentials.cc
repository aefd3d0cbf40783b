#include "platform/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include "core/fd.h"
#include "core/file.h"
#include "platform/platform.h"

namespace parvis::platform {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = 4096;
constexpr std::string_view kKeyLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kSecretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

[[noreturn]] void fail(const fs::path& file, std::string_view what) { throw StartError(fmt::format("{}: {}", file.string(), what)); }

// The file's text; what `make` gives becomes its text when it is not there.
std::string read_or_make(const fs::path& file, const std::function<std::string()>& make) {
  const Fd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (in.get() < 0 && errno == ENOENT) {
    std::string text = make();
    if (auto written = replace_file(file, text, 0600); !written) throw StartError(written.error());
    return text;
  }
  struct stat info {};
  if (in.get() < 0 || ::fstat(in.get(), &info) != 0) fail(file, std::strerror(errno));
  if ((info.st_mode & 077) != 0) fail(file, "others than its owner may read or change it; run chmod 600 on it, and make new keys if it was exposed");
  std::string text(kFileBytesMax, '\0');
  const ssize_t read = ::read(in.get(), text.data(), text.size());
  if (read < 0) fail(file, std::strerror(errno));
  text.resize(static_cast<std::size_t>(read));
  return text;
}

// The value of "name = value" on a line of its own.
std::string value_of(const fs::path& file, std::string_view text, std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const auto equals = line.find(" = ");
    if (equals != std::string_view::npos && line.substr(0, equals) == name && line.size() > equals + 3) return std::string(line.substr(equals + 3));
  }
  fail(file, fmt::format("has no line '{} = …'", name));
}

}  // namespace

RootCredentials load_credentials(const fs::path& data_dir, Entropy& entropy) {
  RootCredentials out;
  out.session_key = read_or_make(data_dir / "session-key", [&] { return entropy.token(64, kSecretLetters); });
  if (out.session_key.size() < 32) fail(data_dir / "session-key", "is too short to be a key; remove it to get a new one, which ends all sessions");
  const char* id = std::getenv("PARVIS_ROOT_ACCESS_KEY_ID");
  const char* secret = std::getenv("PARVIS_ROOT_SECRET_ACCESS_KEY");
  if ((id != nullptr) != (secret != nullptr)) throw StartError("PARVIS_ROOT_ACCESS_KEY_ID and PARVIS_ROOT_SECRET_ACCESS_KEY are set together or not at all");
  if (id != nullptr) {
    if (std::strlen(id) < 12 || std::strlen(secret) < 16)
      throw StartError("PARVIS_ROOT_ACCESS_KEY_ID needs 12 characters or more and PARVIS_ROOT_SECRET_ACCESS_KEY 16 or more");
    out.access_key_id = id;
    out.secret_access_key = secret;
    return out;
  }
  out.file = data_dir / "credentials";
  const std::string text = read_or_make(out.file, [&] {
    return fmt::format("[default]\naws_access_key_id = AKIA{}\naws_secret_access_key = {}\n", entropy.token(16, kKeyLetters), entropy.token(40, kSecretLetters));
  });
  out.access_key_id = value_of(out.file, text, "aws_access_key_id");
  out.secret_access_key = value_of(out.file, text, "aws_secret_access_key");
  return out;
}

SealKey load_seal_key(const fs::path& data_dir, Entropy& entropy) {
  const fs::path file = data_dir / "seal-key";
  auto key = SealKey::from_text(read_or_make(file, [&] { return SealKey::make_text(entropy); }));
  if (!key) fail(file, "is not a key of 64 hexadecimal digits; what was sealed with the key that stood here cannot be read without it");
  return std::move(*key);
}

}  // namespace parvis::platform
