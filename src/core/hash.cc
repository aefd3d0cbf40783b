#include "core/hash.h"

#include <algorithm>
#include <stdexcept>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace parvis {
namespace {

// Fetched once: OpenSSL 3 looks the algorithm up anew for each digest of EVP_sha256() and its like, which takes longer than
// hashing a request.
const EVP_MD* evp(Digest::Kind kind) {
  static const EVP_MD* const kSha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  static const EVP_MD* const kMd5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  switch (kind) {
    case Digest::Kind::kSha1: return kSha1;
    case Digest::Kind::kSha256: return kSha256;
    case Digest::Kind::kMd5: return kMd5;
  }
  std::abort();
}

// One digest over up to two pieces, in a context that the thread keeps.
template <class Out>
Out digest_of(Digest::Kind kind, std::string_view first, std::string_view second = {}) {
  thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Out out;
  unsigned size = 0;
  if (EVP_DigestInit_ex2(context.get(), evp(kind), nullptr) != 1 || EVP_DigestUpdate(context.get(), first.data(), first.size()) != 1 ||
      EVP_DigestUpdate(context.get(), second.data(), second.size()) != 1 || EVP_DigestFinal_ex(context.get(), out.data(), &size) != 1 ||
      size != out.size())
    throw std::runtime_error("the digest is not available");
  return out;
}

template <class Word>
using CrcTables = std::array<std::array<Word, 256>, 8>;

// Eight tables, so that eight bytes are folded in at once. `poly` is bit-reversed.
template <class Word>
constexpr CrcTables<Word> make_tables(Word poly) {
  CrcTables<Word> t{};
  for (unsigned i = 0; i < 256; ++i) {
    Word c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) ? (c >> 1) ^ poly : c >> 1;
    t[0][i] = c;
  }
  for (unsigned i = 0; i < 256; ++i)
    for (unsigned k = 1; k < 8; ++k) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xff];
  return t;
}

template <class Word>
Word crc(const CrcTables<Word>& t, std::string_view bytes, Word seed) {
  Word c = ~seed;
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t block = 0;
    for (int k = 7; k >= 0; --k) block = (block << 8) | p[k];
    block ^= c;
    Word next = 0;
    for (unsigned k = 0; k < 8; ++k) next ^= t[7 - k][(block >> (8 * k)) & 0xff];
    c = next;
  }
  for (; n > 0; --n, ++p) c = (c >> 8) ^ t[0][(c ^ *p) & 0xff];
  return ~c;
}

constexpr auto kCrc32 = make_tables<std::uint32_t>(0xedb88320u);
constexpr auto kCrc32c = make_tables<std::uint32_t>(0x82f63b78u);
constexpr auto kCrc64Nvme = make_tables<std::uint64_t>(0x9a6c9329ac4bc9b5ull);

#if defined(__x86_64__)
#define PARVIS_CLMUL __attribute__((target("pclmul,sse4.1")))

PARVIS_CLMUL __m128i load(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
PARVIS_CLMUL __m128i fold(__m128i value, __m128i by, __m128i next) {
  return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11)));
}

// Sixteen bytes with the same remainder by the IEEE polynomial as `bytes`, a multiple of 16 and at least 64 of them, behind the
// register `c`. Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009.
PARVIS_CLMUL std::array<char, 16> folded_crc32(std::string_view bytes, std::uint32_t c) {
  const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  const char* p = bytes.data();
  __m128i x[4];
  for (int i = 0; i < 4; ++i) x[i] = load(p + 16 * i);
  x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128(static_cast<int>(c)));
  std::size_t n = bytes.size() - 64;
  for (p += 64; n >= 64; n -= 64, p += 64) {
    for (int i = 0; i < 4; ++i) x[i] = fold(x[i], by_64, load(p + 16 * i));
  }
  for (int i = 1; i < 4; ++i) x[0] = fold(x[0], by_16, x[i]);
  for (; n >= 16; n -= 16, p += 16) x[0] = fold(x[0], by_16, load(p));
  std::array<char, 16> out;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out.data()), x[0]);
  return out;
}
#endif

constexpr std::string_view kStd = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<signed char, 256> inverse(std::string_view alphabet) {
  std::array<signed char, 256> out{};
  out.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) out[static_cast<unsigned char>(alphabet[i])] = static_cast<signed char>(i);
  return out;
}
constexpr auto kStdInverse = inverse(kStd);
constexpr auto kUrlInverse = inverse(kUrl);

std::string encode64(std::string_view bytes, std::string_view alphabet, bool pad) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  const auto at = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[k])); };
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t v = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    for (int shift : {18, 12, 6, 0}) out += alphabet[(v >> shift) & 63];
  }
  if (const std::size_t rest = bytes.size() - i; rest > 0) {
    const std::uint32_t v = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0);
    out += alphabet[v >> 18];
    out += alphabet[(v >> 12) & 63];
    if (rest == 2) out += alphabet[(v >> 6) & 63];
    if (pad) out.append(3 - rest, '=');
  }
  return out;
}

std::optional<std::string> decode64(std::string_view text, const std::array<signed char, 256>& table) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t value = 0;
  int bits = 0;
  for (unsigned char c : text) {
    if (table[c] < 0) return std::nullopt;
    value = (value << 6) | static_cast<std::uint32_t>(table[c]);
    if ((bits += 6) >= 8) {
      bits -= 8;
      out += static_cast<char>((value >> bits) & 0xff);
    }
  }
  if (bits > 0 && (value & ((1u << bits) - 1)) != 0) return std::nullopt;
  return out;
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Sha1Digest sha1(std::string_view bytes) { return digest_of<Sha1Digest>(Digest::Kind::kSha1, bytes); }
Sha256Digest sha256(std::string_view bytes) { return digest_of<Sha256Digest>(Digest::Kind::kSha256, bytes); }
Md5Digest md5(std::string_view bytes) { return digest_of<Md5Digest>(Digest::Kind::kMd5, bytes); }

// RFC 2104, over the digest above: OpenSSL 3's own HMAC looks algorithms up at every call.
Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  constexpr std::size_t kBlockBytes = 64;
  std::array<char, kBlockBytes> inner{}, outer{};
  if (key.size() > kBlockBytes) {
    const Sha256Digest hashed = sha256(key);
    std::ranges::copy(as_bytes(hashed), inner.begin());
  } else {
    std::ranges::copy(key, inner.begin());
  }
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    outer[i] = static_cast<char>(inner[i] ^ 0x5c);
    inner[i] = static_cast<char>(inner[i] ^ 0x36);
  }
  const Sha256Digest within = digest_of<Sha256Digest>(Digest::Kind::kSha256, {inner.data(), inner.size()}, bytes);
  const Sha256Digest out = digest_of<Sha256Digest>(Digest::Kind::kSha256, {outer.data(), outer.size()}, as_bytes(within));
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return out;
}

struct Digest::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};
Digest::Digest(Kind kind) : impl_(std::make_unique<Impl>()) {
  if (!impl_->context || EVP_DigestInit_ex(impl_->context, evp(kind), nullptr) != 1)
    throw std::runtime_error("the digest is not available");
}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
void Digest::update(std::string_view bytes) { EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()); }
std::string Digest::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(impl_->context, out, &size);
  return {reinterpret_cast<const char*>(out), size};
}

std::uint32_t crc32(std::string_view bytes, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool has_clmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  if (has_clmul && bytes.size() >= 64) {
    const std::size_t whole = bytes.size() / 16 * 16;
    const std::array<char, 16> rest = folded_crc32(bytes.substr(0, whole), ~seed);
    seed = crc(kCrc32, std::string_view(rest.data(), rest.size()), ~0u);
    bytes.remove_prefix(whole);
  }
#endif
  return crc(kCrc32, bytes, seed);
}
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) { return crc(kCrc32c, bytes, seed); }
std::uint64_t crc64nvme(std::string_view bytes, std::uint64_t seed) { return crc(kCrc64Nvme, bytes, seed); }

std::string hex_encode(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out(bytes.size() * 2, '\0');
  char* to = out.data();
  for (unsigned char b : bytes) {
    *to++ = kHex[b >> 4];
    *to++ = kHex[b & 15];
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = nibble(text[i]), low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::string base64_encode(std::string_view bytes) { return encode64(bytes, kStd, true); }
std::string base64url_encode(std::string_view bytes) { return encode64(bytes, kUrl, false); }

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return decode64(text, kStdInverse);
}
std::optional<std::string> base64url_decode(std::string_view text) { return decode64(text, kUrlInverse); }

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace parvis
