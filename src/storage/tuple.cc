#include "storage/tuple.h"

#include <fmt/format.h>

namespace parvis::storage {
namespace {

constexpr unsigned char kBytesTag = 0x02;
constexpr unsigned char kStringTag = 0x03;
constexpr unsigned char kU64Tag = 0x05;
constexpr unsigned char kI64Tag = 0x06;
constexpr char kEscape = '\xFF';
constexpr char kTerminator = '\x01';
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

void append_escaped(std::string& out, unsigned char tag, std::string_view value) {
  if (value.find('\0') == value.npos) {  // most values
    const std::size_t at = out.size();
    out.resize(at + value.size() + 3);
    out[at] = static_cast<char>(tag);
    value.copy(out.data() + at + 1, value.size());
    out[at + value.size() + 2] = kTerminator;  // after a zero
    return;
  }
  out.push_back(static_cast<char>(tag));
  for (std::size_t at = 0;;) {
    const std::size_t zero = value.find('\0', at);
    out.append(value.substr(at, zero == value.npos ? value.npos : zero - at));
    out.push_back('\0');
    if (zero == value.npos) break;
    out.push_back(kEscape);
    at = zero + 1;
  }
  out.push_back(kTerminator);
}

}  // namespace

void append_u64(std::string& out, std::uint64_t value) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (56 - 8 * i));
  out.append(bytes, sizeof bytes);
}

std::uint64_t load_u64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

TupleWriter& TupleWriter::string(std::string_view value) {
  append_escaped(out_, kStringTag, value);
  return *this;
}

TupleWriter& TupleWriter::bytes(std::string_view value) {
  append_escaped(out_, kBytesTag, value);
  return *this;
}

TupleWriter& TupleWriter::u64(std::uint64_t value) {
  out_.push_back(static_cast<char>(kU64Tag));
  append_u64(out_, value);
  return *this;
}

TupleWriter& TupleWriter::i64(std::int64_t value) {
  out_.push_back(static_cast<char>(kI64Tag));
  append_u64(out_, static_cast<std::uint64_t>(value) ^ kSignBit);
  return *this;
}

TupleWriter& TupleWriter::raw(std::string_view value) {
  out_.append(value);
  return *this;
}

std::unexpected<TupleError> TupleReader::fail(std::string detail) const {
  return std::unexpected(TupleError{at_, std::move(detail)});
}

std::expected<std::string, TupleError> TupleReader::escaped(unsigned char tag, const char* type) {
  if (at_ >= key_.size()) return fail(fmt::format("expected {}, the key ends", type));
  if (static_cast<unsigned char>(key_[at_]) != tag) {
    return fail(fmt::format("expected {}, found tag {:#04x}", type, static_cast<unsigned char>(key_[at_])));
  }
  std::string out;
  for (std::size_t at = at_ + 1;;) {
    const std::size_t zero = key_.find('\0', at);
    if (zero == key_.npos || zero + 1 == key_.size()) return fail(fmt::format("{} without an end", type));
    out.append(key_.substr(at, zero - at));
    at = zero + 2;
    if (key_[zero + 1] == kTerminator) {
      at_ = at;
      return out;
    }
    if (key_[zero + 1] != kEscape) return fail(fmt::format("{} with a wrong escape", type));
    out.push_back('\0');
  }
}

std::expected<std::uint64_t, TupleError> TupleReader::fixed(unsigned char tag, const char* type) {
  if (at_ >= key_.size()) return fail(fmt::format("expected {}, the key ends", type));
  if (static_cast<unsigned char>(key_[at_]) != tag) {
    return fail(fmt::format("expected {}, found tag {:#04x}", type, static_cast<unsigned char>(key_[at_])));
  }
  if (key_.size() - at_ < 9) return fail(fmt::format("{} is cut", type));
  const std::uint64_t value = load_u64(key_.substr(at_ + 1, 8));
  at_ += 9;
  return value;
}

std::expected<std::string, TupleError> TupleReader::string() { return escaped(kStringTag, "a string"); }
std::expected<std::string, TupleError> TupleReader::bytes() { return escaped(kBytesTag, "bytes"); }
std::expected<std::uint64_t, TupleError> TupleReader::u64() { return fixed(kU64Tag, "an unsigned number"); }

std::expected<std::int64_t, TupleError> TupleReader::i64() {
  const auto value = fixed(kI64Tag, "a signed number");
  if (!value) return std::unexpected(value.error());
  return static_cast<std::int64_t>(*value ^ kSignBit);
}

std::string_view TupleReader::rest() {
  const std::string_view rest = key_.substr(at_);
  at_ = key_.size();
  return rest;
}

}  // namespace parvis::storage
