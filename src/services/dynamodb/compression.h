// dynamodb/compression.h: the bytes of exported and imported files, piece by piece.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace parvis::dynamodb {

enum class Compression { kNone, kGzip, kZstd };

class GzipWriter {
 public:
  GzipWriter();
  ~GzipWriter();
  void add(std::string_view bytes);
  std::size_t added() const { return added_; }  // bytes before compression
  std::string finish();                         // the whole file; the writer begins a new one

 private:
  struct Stream;
  void write(std::string_view bytes, bool last);
  std::unique_ptr<Stream> stream_;
  std::string out_;
  std::size_t added_ = 0;
};

class Decompressor {
 public:
  explicit Decompressor(Compression kind);
  ~Decompressor();
  // Gives what the bytes hold in pieces of at most 64 KiB. False: the bytes are damaged, nothing more may be fed.
  bool feed(std::string_view bytes, const std::function<void(std::string_view)>& take);
  bool is_complete() const;  // nothing was cut off

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace parvis::dynamodb
