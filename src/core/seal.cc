#include "core/seal.h"

#include <array>
#include <memory>
#include <stdexcept>

#include <openssl/evp.h>

#include "core/hash.h"

namespace parvis {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kKeyBytes = 32, kNonceBytes = 12, kTagBytes = 16;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* raw(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

void must(int result) {
  if (result != 1) throw std::runtime_error("AES-GCM is not available");
}

}  // namespace

std::optional<SealKey> SealKey::from_text(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  auto key = hex_decode(text);
  if (!key || key->size() != kKeyBytes) return std::nullopt;
  return SealKey(std::move(*key));
}

std::string SealKey::make_text(Entropy& entropy) {
  std::array<unsigned char, kKeyBytes> key{};
  entropy.fill(key);
  return hex_encode(as_bytes(key)) + "\n";
}

std::string SealKey::seal(std::string_view plain, std::string_view context, Entropy& entropy) const {
  std::array<unsigned char, kNonceBytes> nonce{};
  entropy.fill(nonce);
  std::string out(1 + kNonceBytes + plain.size() + kTagBytes, '\0');
  out[0] = kFormat;
  std::copy(nonce.begin(), nonce.end(), raw(out) + 1);
  unsigned char* body = raw(out) + 1 + kNonceBytes;
  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int length = 0;
  must(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key_), nonce.data()));
  must(EVP_EncryptUpdate(cipher.get(), nullptr, &length, raw(context), static_cast<int>(context.size())));
  must(EVP_EncryptUpdate(cipher.get(), body, &length, raw(plain), static_cast<int>(plain.size())));
  must(EVP_EncryptFinal_ex(cipher.get(), body + length, &length));
  must(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, body + plain.size()));
  return out;
}

std::optional<std::string> SealKey::open(std::string_view sealed, std::string_view context) const {
  if (sealed.size() < 1 + kNonceBytes + kTagBytes || sealed[0] != kFormat) return std::nullopt;
  const std::string_view nonce = sealed.substr(1, kNonceBytes);
  const std::string_view body = sealed.substr(1 + kNonceBytes, sealed.size() - 1 - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  std::string out(body.size(), '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int length = 0;
  must(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw(key_), raw(nonce)));
  must(EVP_DecryptUpdate(cipher.get(), nullptr, &length, raw(context), static_cast<int>(context.size())));
  must(EVP_DecryptUpdate(cipher.get(), raw(out), &length, raw(body), static_cast<int>(body.size())));
  must(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()));
  if (EVP_DecryptFinal_ex(cipher.get(), raw(out) + out.size(), &length) != 1) return std::nullopt;
  return out;
}

}  // namespace parvis
