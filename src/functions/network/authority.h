// functions/network/authority.h: the certificate authority of one data directory, and certificates for AWS's names from it.
//
// The key never leaves the data directory (0600) and no worker sees it. The authority's own certificate may sign names below
// kPlatformDomains and no others (RFC 5280, name constraints), so that who trusts it is not open to more than that.
#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <openssl/types.h>

namespace parvis::network {

class Authority {  // thread-safe
 public:
  // Makes key and certificate in `folder` at the first start, and again when the certificate has less than a month to live. Also
  // writes the bundle of the system's certificates and this one, when the system has any. The error is a sentence: a file that
  // others may read, or that cannot be read, among them.
  static std::expected<std::shared_ptr<Authority>, std::string> open(const std::filesystem::path& folder, std::string system_bundle = "/etc/ssl/certs/ca-certificates.crt");
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& certificate_path() const { return certificate_path_; }  // PEM
  const std::string& bundle_path() const { return bundle_path_; }            // PEM; empty: the system has none
  // Lets a TLS server of this context answer with a certificate of the name that its client asks for. Without a name, or with
  // one that is not the platform's, the handshake fails. This outlives the context.
  void serve(SSL_CTX* context);

 private:
  Authority() = default;
  static int choose(SSL* connection, void* self);
  X509* certificate_of(const std::string& name);  // counted once more; nullptr: OpenSSL has failed

  std::string certificate_path_, bundle_path_;
  EVP_PKEY* key_ = nullptr;
  EVP_PKEY* leaf_key_ = nullptr;  // of all names, made anew with the process
  X509* certificate_ = nullptr;
  std::mutex mutex_;
  std::map<std::string, X509*, std::less<>> leaves_;  // by name
};

}  // namespace parvis::network
