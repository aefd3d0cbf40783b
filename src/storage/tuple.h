// storage/tuple.h: keys as tuples whose bytes order as their elements do.
//
// An element is one tag byte and its payload:
//   0x02 bytes   0x00 is written 0x00 0xFF, the end is 0x00 0x01
//   0x03 string  the same; a type of its own, so that a reader notices a key of another shape
//   0x05 u64     8 bytes, big endian
//   0x06 i64     8 bytes, big endian, sign bit flipped
// raw() appends bytes as they are, for a last element that is already ordered; a reader takes them with rest().
// The encoding of the first n elements is a prefix of the whole key: scan [prefix, prefix_end(prefix)).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace parvis::storage {

class TupleWriter {
 public:
  TupleWriter() = default;
  explicit TupleWriter(std::string prefix) : out_(std::move(prefix)) {}
  TupleWriter& string(std::string_view value);
  TupleWriter& bytes(std::string_view value);
  TupleWriter& u64(std::uint64_t value);
  TupleWriter& i64(std::int64_t value);
  TupleWriter& raw(std::string_view value);
  const std::string& view() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

struct TupleError {
  std::size_t offset;  // of the element
  std::string detail;
};

// Reads the elements in order. After an error the position is where the element began.
class TupleReader {  // `key` outlives it
 public:
  explicit TupleReader(std::string_view key) : key_(key) {}
  std::expected<std::string, TupleError> string();
  std::expected<std::string, TupleError> bytes();
  std::expected<std::uint64_t, TupleError> u64();
  std::expected<std::int64_t, TupleError> i64();
  std::string_view rest();
  bool at_end() const { return at_ == key_.size(); }

 private:
  std::expected<std::string, TupleError> escaped(unsigned char tag, const char* type);
  std::expected<std::uint64_t, TupleError> fixed(unsigned char tag, const char* type);
  std::unexpected<TupleError> fail(std::string detail) const;

  std::string_view key_;
  std::size_t at_ = 0;
};

// 8 bytes, big endian: how numbers are written in values too.
void append_u64(std::string& out, std::uint64_t value);
std::uint64_t load_u64(std::string_view bytes);  // of the first 8 bytes

}  // namespace parvis::storage
