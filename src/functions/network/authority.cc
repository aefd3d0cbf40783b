#include "functions/network/authority.h"

#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/ascii.h"
#include "core/file.h"
#include "functions/network/names.h"

namespace parvis::network {
namespace {

namespace fs = std::filesystem;

constexpr long kDay = 86'400;
constexpr long kAuthorityDays = 3650, kLeafDays = 90, kRenewDays = 30;
constexpr std::size_t kLeavesMax = 512;  // names that are remembered

struct Free {
  void operator()(BIO* value) const { BIO_free(value); }
  void operator()(X509* value) const { X509_free(value); }
  void operator()(EVP_PKEY* value) const { EVP_PKEY_free(value); }
  void operator()(X509_EXTENSION* value) const { X509_EXTENSION_free(value); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

template <class Write>
std::string to_pem(Write write) {
  const Owned<BIO> memory(BIO_new(BIO_s_mem()));
  if (!memory || write(memory.get()) != 1) return {};
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<std::size_t>(length));
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// A certificate for `key` without extensions and signature. A day into the past, for clocks that differ.
Owned<X509> unsigned_certificate(EVP_PKEY* key, const std::string& name, long days) {
  Owned<X509> made(X509_new());
  unsigned char serial[16];
  if (!made || RAND_bytes(serial, sizeof serial) != 1) return nullptr;
  serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);  // positive, and not shorter
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  const bool numbered = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made.get()));
  BN_free(number);
  // A common name has at most 64 characters; the alternative name says the rest.
  const std::string common = name.substr(0, 64);
  X509_NAME* const subject = X509_get_subject_name(made.get());
  const bool done = numbered && X509_set_version(made.get(), X509_VERSION_3) == 1 && X509_gmtime_adj(X509_getm_notBefore(made.get()), -kDay) &&
                    X509_gmtime_adj(X509_getm_notAfter(made.get()), days * kDay) && X509_set_pubkey(made.get(), key) == 1 &&
                    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common.data()), static_cast<int>(common.size()), -1, 0) == 1;
  return done ? std::move(made) : nullptr;
}

Owned<X509> make_authority(EVP_PKEY* key) {
  Owned<X509> made = unsigned_certificate(key, "Parvis, this installation alone", kAuthorityDays);
  std::string names = "critical";
  for (const std::string_view domain : kPlatformDomains) names += ",permitted;DNS:" + std::string(domain);
  const bool done = made && X509_set_issuer_name(made.get(), X509_get_subject_name(made.get())) == 1 && add_extension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign") && add_extension(made.get(), made.get(), NID_subject_key_identifier, "hash") &&
                    add_extension(made.get(), made.get(), NID_name_constraints, names) && X509_sign(made.get(), key, EVP_sha256()) > 0;
  return done ? std::move(made) : nullptr;
}

// Only letters, digits, hyphens and dots: the text becomes part of OpenSSL's configuration language.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == name.npos;
}

bool fits(X509* certificate, EVP_PKEY* key) {
  time_t soon = time(nullptr) + kRenewDays * kDay;
  return X509_check_private_key(certificate, key) == 1 && X509_cmp_time(X509_get0_notAfter(certificate), &soon) > 0;
}

}  // namespace

std::expected<std::shared_ptr<Authority>, std::string> Authority::open(const fs::path& folder, std::string system_bundle) {
  std::shared_ptr<Authority> authority(new Authority);
  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path key_path = folder / "ca.key", certificate_path = folder / "ca.pem", bundle_path = folder / "bundle.pem";
  struct stat info{};
  const bool kept = stat(key_path.c_str(), &info) == 0;
  if (kept && (info.st_mode & 077) != 0) return std::unexpected(key_path.string() + " may be read by others: chmod 600 it, or remove it and its certificate");
  if (kept) {
    const std::string text = read_file(key_path);
    const Owned<BIO> memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    authority->key_ = PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, nullptr);
    if (!authority->key_) return std::unexpected(key_path.string() + " is not a private key: remove it, a new one is made");
  } else {
    authority->key_ = EVP_EC_gen("P-256");
    const std::string text = to_pem([&](BIO* out) { return authority->key_ ? PEM_write_bio_PKCS8PrivateKey(out, authority->key_, nullptr, nullptr, 0, nullptr, nullptr) : 0; });
    if (text.empty()) return std::unexpected("OpenSSL cannot make " + key_path.string());
    if (auto written = replace_file(key_path, text, 0600); !written) return std::unexpected("cannot write " + written.error());
  }
  std::string text = read_file(certificate_path);
  if (!text.empty()) {
    const Owned<BIO> memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    authority->certificate_ = PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr);
  }
  if (!authority->certificate_ || !fits(authority->certificate_, authority->key_)) {
    X509_free(authority->certificate_);
    authority->certificate_ = make_authority(authority->key_).release();
    text = to_pem([&](BIO* out) { return authority->certificate_ ? PEM_write_bio_X509(out, authority->certificate_) : 0; });
    if (text.empty()) return std::unexpected("OpenSSL cannot make " + certificate_path.string());
    if (auto written = replace_file(certificate_path, text, 0644); !written) return std::unexpected("cannot write " + written.error());
  }
  authority->leaf_key_ = EVP_EC_gen("P-256");
  if (!authority->leaf_key_) return std::unexpected("OpenSSL cannot make a key");
  authority->certificate_path_ = fs::absolute(certificate_path).string();
  if (const std::string system = read_file(system_bundle); !system.empty()) {
    const std::string bundle = system + "\n" + text;
    if (read_file(bundle_path) != bundle) {
      if (auto written = replace_file(bundle_path, bundle, 0644); !written) return std::unexpected("cannot write " + written.error());
    }
    authority->bundle_path_ = fs::absolute(bundle_path).string();
  }
  return authority;
}

Authority::~Authority() {
  for (const auto& [name, leaf] : leaves_) X509_free(leaf);
  X509_free(certificate_);
  EVP_PKEY_free(leaf_key_);
  EVP_PKEY_free(key_);
}

X509* Authority::certificate_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = leaves_.find(name); known != leaves_.end()) {
    if (fits(known->second, leaf_key_)) return X509_up_ref(known->second), known->second;
    X509_free(known->second);
    leaves_.erase(known);
  }
  Owned<X509> made = unsigned_certificate(leaf_key_, name, kLeafDays);
  const bool done = made && X509_set_issuer_name(made.get(), X509_get_subject_name(certificate_)) == 1 && add_extension(made.get(), certificate_, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(made.get(), certificate_, NID_key_usage, "critical,digitalSignature") && add_extension(made.get(), certificate_, NID_ext_key_usage, "serverAuth") &&
                    add_extension(made.get(), certificate_, NID_subject_key_identifier, "hash") && add_extension(made.get(), certificate_, NID_authority_key_identifier, "keyid") &&
                    add_extension(made.get(), certificate_, NID_subject_alt_name, "DNS:" + name) && X509_sign(made.get(), key_, EVP_sha256()) > 0;
  if (!done) return nullptr;
  if (leaves_.size() >= kLeavesMax) {
    for (const auto& [old, leaf] : leaves_) X509_free(leaf);
    leaves_.clear();
  }
  X509_up_ref(made.get());
  leaves_.emplace(name, made.get());
  return made.release();
}

int Authority::choose(SSL* connection, void* self) {
  const char* asked = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  std::string name = to_lower(std::string_view(asked ? asked : ""));
  if (name.ends_with('.')) name.pop_back();
  if (!is_plain_name(name) || !is_platform_name(name)) return 0;
  auto& authority = *static_cast<Authority*>(self);
  const Owned<X509> certificate(authority.certificate_of(name));
  return certificate && SSL_use_certificate(connection, certificate.get()) == 1 && SSL_use_PrivateKey(connection, authority.leaf_key_) == 1 ? 1 : 0;
}

void Authority::serve(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cert_cb(context, &Authority::choose, this);
}

}  // namespace parvis::network
