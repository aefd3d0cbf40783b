#include "services/dynamodb/compression.h"

#include <stdexcept>

#include <zlib.h>
#include <zstd.h>

namespace parvis::dynamodb {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's spelling of "the largest window, with gzip's head and tail"
constexpr std::size_t kPieceBytes = 64u << 10;

Bytef* input_of(std::string_view bytes) { return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data())); }

}  // namespace

struct GzipWriter::Stream {
  z_stream z{};
};

GzipWriter::GzipWriter() : stream_(std::make_unique<Stream>()) {
  if (deflateInit2(&stream_->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}

GzipWriter::~GzipWriter() { deflateEnd(&stream_->z); }

void GzipWriter::write(std::string_view bytes, bool last) {
  z_stream& z = stream_->z;
  z.next_in = input_of(bytes);
  z.avail_in = static_cast<uInt>(bytes.size());
  do {
    const std::size_t before = out_.size();
    out_.resize(before + kPieceBytes);
    z.next_out = reinterpret_cast<Bytef*>(out_.data() + before);
    z.avail_out = kPieceBytes;
    deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
    out_.resize(out_.size() - z.avail_out);
  } while (z.avail_out == 0);
}

void GzipWriter::add(std::string_view bytes) {
  added_ += bytes.size();
  write(bytes, false);
}

std::string GzipWriter::finish() {
  write({}, true);
  deflateReset(&stream_->z);
  added_ = 0;
  return std::exchange(out_, {});
}

struct Decompressor::Stream {
  Compression kind = Compression::kNone;
  z_stream z{};
  ZSTD_DStream* zstd = nullptr;
  bool inside = false;  // of a gzip member or zstd frame

  bool inflate_all(std::string_view bytes, const std::function<void(std::string_view)>& take) {
    std::string piece(kPieceBytes, '\0');
    z.next_in = input_of(bytes);
    z.avail_in = static_cast<uInt>(bytes.size());
    while (z.avail_in > 0 || (inside && z.avail_out == 0)) {
      inside = true;
      z.next_out = reinterpret_cast<Bytef*>(piece.data());
      z.avail_out = kPieceBytes;
      const int result = inflate(&z, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return false;
      take(std::string_view(piece).substr(0, kPieceBytes - z.avail_out));
      if (result == Z_STREAM_END) {
        inside = false;  // a file may hold several members
        if (inflateReset(&z) != Z_OK) return false;
      } else if (result == Z_BUF_ERROR) {
        break;
      }
    }
    return true;
  }

  bool unzstd_all(std::string_view bytes, const std::function<void(std::string_view)>& take) {
    std::string piece(kPieceBytes, '\0');
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    while (true) {
      ZSTD_outBuffer out{piece.data(), piece.size(), 0};
      const std::size_t left = ZSTD_decompressStream(zstd, &out, &in);
      if (ZSTD_isError(left)) return false;
      inside = left != 0;
      take(std::string_view(piece).substr(0, out.pos));
      if (in.pos == in.size && out.pos < out.size) return true;
    }
  }
};

Decompressor::Decompressor(Compression kind) : stream_(std::make_unique<Stream>()) {
  stream_->kind = kind;
  if (kind == Compression::kGzip && inflateInit2(&stream_->z, kGzipWindow) != Z_OK) throw std::bad_alloc();
  if (kind == Compression::kZstd && !(stream_->zstd = ZSTD_createDStream())) throw std::bad_alloc();
}

Decompressor::~Decompressor() {
  if (stream_->kind == Compression::kGzip) inflateEnd(&stream_->z);
  ZSTD_freeDStream(stream_->zstd);
}

bool Decompressor::feed(std::string_view bytes, const std::function<void(std::string_view)>& take) {
  if (bytes.empty()) return true;
  if (stream_->kind == Compression::kGzip) return stream_->inflate_all(bytes, take);
  if (stream_->kind == Compression::kZstd) return stream_->unzstd_all(bytes, take);
  take(bytes);
  return true;
}

bool Decompressor::is_complete() const { return !stream_->inside; }

}  // namespace parvis::dynamodb
