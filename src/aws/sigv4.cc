#include "aws/sigv4.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <vector>

#include "aws/api_call.h"
#include "aws/aws_chunked.h"
#include "core/ascii.h"
#include "core/hash.h"
#include "core/time_format.h"

namespace parvis::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsigned = "UNSIGNED-PAYLOAD";
constexpr std::chrono::minutes kSkew{15};
constexpr std::int64_t kPresignedSecondsMax = 7 * 24 * 3600;
constexpr std::size_t kSignedHeadersMax = 200;
constexpr std::size_t kAuthorizationFieldsMax = 20;

enum class Problem { kMissing, kIncomplete, kUnknownKey, kBadToken, kMismatch, kSkewed, kExpired, kPayload, kChecksum, kBodyLength, kMalformedBody, kTooLarge };

// Codes as the services' API references list them under "Common errors", and S3's under "Error responses".
SignatureError make_error(ErrorFamily family, Problem problem, std::string message) {
  struct Row { const char *json, *query, *s3; unsigned s3_status; };
  const Row row = [&]() -> Row {
    switch (problem) {
      case Problem::kMissing: return {"MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied", 403};
      case Problem::kIncomplete: return {"IncompleteSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed", 400};
      case Problem::kUnknownKey: return {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", 403};
      case Problem::kBadToken: return {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidToken", 400};
      case Problem::kMismatch: return {"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", 403};
      case Problem::kSkewed: return {"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", 403};
      case Problem::kExpired: return {"InvalidSignatureException", "RequestExpired", "AccessDenied", 403};
      case Problem::kPayload: return {"InvalidSignatureException", "SignatureDoesNotMatch", "XAmzContentSHA256Mismatch", 400};
      case Problem::kChecksum: return {"InvalidSignatureException", "SignatureDoesNotMatch", "BadDigest", 400};
      case Problem::kBodyLength: return {"IncompleteSignatureException", "IncompleteSignature", "IncompleteBody", 400};
      case Problem::kMalformedBody: return {"IncompleteSignatureException", "IncompleteSignature", "InvalidRequest", 400};
      case Problem::kTooLarge: return {"IncompleteSignatureException", "IncompleteSignature", "EntityTooLarge", 400};
    }
    std::abort();
  }();
  switch (family) {
    case ErrorFamily::kJson: return {row.json, std::move(message), 400};
    case ErrorFamily::kRestJson: return {row.json, std::move(message), 403};
    case ErrorFamily::kQuery: return {row.query, std::move(message), 403};
    case ErrorFamily::kS3: return {row.s3, std::move(message), row.s3_status};
  }
  std::abort();
}

using Query = std::vector<std::pair<std::string, std::string>>;  // decoded

struct Claim {
  SignatureScope scope;
  std::vector<std::string> signed_headers;
  std::string signature, date_time, token;
  std::int64_t expires_s = 0;
  std::string credential_scope() const { return scope.date + '/' + scope.region + '/' + scope.service + "/aws4_request"; }
};

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t at = text.find(by);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Here '+' is itself: a signer writes a space as %20.
Query decode_query(std::string_view text) {
  Query out;
  if (text.empty()) return out;
  for (std::string_view pair : split(text, '&')) {
    if (pair.empty()) continue;
    const std::size_t eq = pair.find('=');
    const auto name = pair.substr(0, eq), value = eq == std::string_view::npos ? std::string_view{} : pair.substr(eq + 1);
    out.emplace_back(http::percent_decode(name).value_or(std::string(name)), http::percent_decode(value).value_or(std::string(value)));
  }
  return out;
}

const std::string* find(const Query& query, std::string_view name) {
  for (const auto& [key, value] : query)
    if (key == name) return &value;
  return nullptr;
}

// "AKID/20261123/us-east-1/dynamodb/aws4_request"; the key id itself may hold slashes in theory, never in practice.
std::optional<SignatureScope> parse_credential(std::string_view text, bool presigned) {
  const auto parts = split(text, '/');
  if (parts.size() != 5 || parts[4] != "aws4_request" || parts[0].empty() || parts[0].size() > 128 || parts[1].size() != 8 ||
      parts[2].empty() || parts[3].empty())
    return std::nullopt;
  return SignatureScope{std::string(parts[0]), std::string(parts[1]), std::string(parts[2]), std::string(parts[3]), presigned};
}

struct Failure { Problem problem; std::string message; };

std::expected<Claim, Failure> claim_of_header(const http::Request& request, std::string_view header) {
  const auto incomplete = [](std::string text) { return std::unexpected(Failure{Problem::kIncomplete, std::move(text)}); };
  if (!header.starts_with(kAlgorithm) || header.size() == kAlgorithm.size() || header[kAlgorithm.size()] != ' ')
    return incomplete(fmt::format("Unsupported AWS 'algorithm': '{}'.", header.substr(0, std::min<std::size_t>(header.find(' '), 64))));
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  const auto find = [&](std::string_view name) { return std::ranges::find(fields, name, [](const auto& field) { return field.first; }); };
  for (std::string_view part : split(header.substr(kAlgorithm.size()), ',')) {
    part = strip(part);
    const std::size_t eq = part.find('=');
    if (eq == std::string_view::npos || fields.size() >= kAuthorizationFieldsMax || find(part.substr(0, eq)) != fields.end())
      return incomplete("Authorization header has a part that is not 'name=value', or has one twice.");
    fields.emplace_back(part.substr(0, eq), part.substr(eq + 1));
  }
  for (const char* name : {"Credential", "Signature", "SignedHeaders"})
    if (find(name) == fields.end()) return incomplete(fmt::format("Authorization header requires '{}' parameter.", name));
  auto scope = parse_credential(find("Credential")->second, false);
  if (!scope) return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.");
  Claim claim{.scope = std::move(*scope), .signed_headers = {}, .signature = std::string(find("Signature")->second),
              .date_time = std::string(request.headers.get("x-amz-date")), .token = std::string(request.headers.get("x-amz-security-token"))};
  for (std::string_view name : split(find("SignedHeaders")->second, ';')) claim.signed_headers.emplace_back(name);
  if (claim.date_time.empty()) {
    const auto date = parse_rfc1123(request.headers.get("date"));
    if (!date) return incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
    claim.date_time = format_basic(*date);
  }
  return claim;
}

std::expected<Claim, Failure> claim_of_query(const Query& query) {
  const auto incomplete = [](std::string text) { return std::unexpected(Failure{Problem::kIncomplete, std::move(text)}); };
  for (const char* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}) {
    const auto count = std::count_if(query.begin(), query.end(), [&](const auto& p) { return p.first == name; });
    if (count != 1) return incomplete(fmt::format("AWS query-string parameters must include '{}' once.", name));
  }
  if (*find(query, "X-Amz-Algorithm") != kAlgorithm) return incomplete("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  auto scope = parse_credential(*find(query, "X-Amz-Credential"), true);
  if (!scope) return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.");
  Claim claim{.scope = std::move(*scope), .signed_headers = {}, .signature = *find(query, "X-Amz-Signature"),
              .date_time = *find(query, "X-Amz-Date"), .token = {}};
  if (const std::string* token = find(query, "X-Amz-Security-Token")) claim.token = *token;
  for (std::string_view name : split(*find(query, "X-Amz-SignedHeaders"), ';')) claim.signed_headers.emplace_back(name);
  const std::string& expires = *find(query, "X-Amz-Expires");
  const auto [end, bad] = std::from_chars(expires.data(), expires.data() + expires.size(), claim.expires_s);
  if (bad != std::errc{} || end != expires.data() + expires.size() || claim.expires_s < 1 || claim.expires_s > kPresignedSecondsMax)
    return incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800");
  return claim;
}

std::expected<Claim, Failure> read_claim(const http::Request& request, const Query& query) {
  const auto headers = request.headers.all("authorization");
  const bool presigned = find(query, "X-Amz-Signature") || find(query, "X-Amz-Credential") || find(query, "X-Amz-Algorithm");
  if (headers.size() > 1 || (presigned && !headers.empty()))
    return std::unexpected(Failure{Problem::kIncomplete, "Only one auth mechanism allowed"});
  if (!headers.empty()) return claim_of_header(request, headers.front());
  if (presigned) return claim_of_query(query);
  return std::unexpected(Failure{Problem::kMissing, "Missing Authentication Token"});
}

// Removes "." and ".." segments and empty ones, as RFC 3986 section 5.2.4 and the signing reference ask (S3 excepted).
std::string normalize_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (std::string_view segment : split(path, '/')) {
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string out;
  for (std::string_view segment : kept) out.append("/").append(segment);
  if (out.empty() || path.ends_with('/')) out += '/';
  return out;
}

std::string canonical_path(std::string_view path, ErrorFamily family) {
  if (family != ErrorFamily::kS3) return http::percent_encode(normalize_path(path), true);
  return http::percent_encode(http::percent_decode(path).value_or(std::string(path)), true);
}

std::string canonical_query(const Query& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query)
    if (name != "X-Amz-Signature") encoded.emplace_back(http::percent_encode(name), http::percent_encode(value));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

void append_canonical_header(const http::Request& request, std::string_view name, std::string& out) {
  out.append(name) += ':';
  bool first = true;
  for (std::string_view value : request.headers.all(name)) {
    if (!std::exchange(first, false)) out += ',';
    bool space = false;
    for (char c : strip(value)) {
      const bool blank = c == ' ' || c == '\t';
      if (!blank) out += c;
      else if (!space) out += ' ';
      space = blank;
    }
  }
  out += '\n';
}

std::optional<Failure> check_signed_headers(const http::Request& request, const Claim& claim) {
  const auto& names = claim.signed_headers;
  if (names.size() > kSignedHeadersMax || !std::is_sorted(names.begin(), names.end()) ||
      std::adjacent_find(names.begin(), names.end()) != names.end() || !std::binary_search(names.begin(), names.end(), "host"))
    return Failure{Problem::kMismatch, "SignedHeaders must be sorted, without repeats, and include 'host'."};
  // What steers the service must be under the signature.
  for (const auto& [name, value] : request.headers) {
    if (name.size() < 6 || (name[0] != 'x' && name[0] != 'X')) continue;
    const std::string lower = to_lower(name);
    if (lower.starts_with("x-amz-") && lower != "x-amz-cf-id" && !std::binary_search(names.begin(), names.end(), lower))
      return Failure{Problem::kMismatch, fmt::format("There were headers present in the request which were not signed: {}", lower)};
  }
  return std::nullopt;
}

std::optional<Failure> check_time(const Claim& claim, const Clock& clock) {
  const auto at = parse_basic(claim.date_time);
  if (!at) return Failure{Problem::kIncomplete, "Date must be in ISO-8601 'basic format', as 20261123T100000Z."};
  if (!claim.date_time.starts_with(claim.scope.date))
    return Failure{Problem::kMismatch, fmt::format("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}'.", claim.scope.date, claim.date_time.substr(0, 8))};
  const Millis now = clock.wall();
  const Problem problem = claim.scope.presigned ? Problem::kExpired : Problem::kSkewed;
  if (*at > now + kSkew)
    return Failure{problem, fmt::format("Signature not yet current: {} is still later than {} ({} + 15 min.)", claim.date_time, format_basic(now + kSkew), format_basic(now))};
  if (claim.scope.presigned && now > *at + std::chrono::seconds(claim.expires_s)) return Failure{problem, "Request has expired"};
  if (!claim.scope.presigned && *at < now - kSkew)
    return Failure{problem, fmt::format("Signature expired: {} is now earlier than {} ({} - 15 min.)", claim.date_time, format_basic(now - kSkew), format_basic(now))};
  return std::nullopt;
}

// What the canonical request says about the payload, and what has to be checked besides.
struct Payload {
  enum class Kind { kHash, kUnsigned, kChunks };
  Kind kind = Kind::kHash;
  std::string text;
  AwsChunkedDecoder::Options chunks = {};
  bool signed_chunks = false;
};

bool is_hash(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::expected<Payload, Failure> chunked_payload(const http::Request& request, std::string_view given) {
  Payload out;
  out.kind = Payload::Kind::kChunks;
  out.text = given;
  out.signed_chunks = given.starts_with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  out.chunks.has_trailer = given.ends_with("-TRAILER");
  if (given != "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" && given != "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" && given != "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    return std::unexpected(Failure{Problem::kMalformedBody, fmt::format("x-amz-content-sha256 {} is not supported", given.substr(0, 64))});
  for (std::string_view names : request.headers.all("x-amz-trailer"))
    for (std::string_view name : split(names, ',')) out.chunks.trailer_names.push_back(to_lower(strip(name)));
  const std::string_view length = request.headers.get("x-amz-decoded-content-length");
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(length.data(), length.data() + length.size(), value);
  if (bad != std::errc{} || end != length.data() + length.size())
    return std::unexpected(Failure{Problem::kMalformedBody, "x-amz-decoded-content-length must be given with a chunked payload"});
  out.chunks.decoded_length = value;
  return out;
}

std::expected<Payload, Failure> payload_of(const http::Request& request, const Claim& claim, ErrorFamily family) {
  const auto given = request.headers.find("x-amz-content-sha256");
  Payload out;
  if (given && *given == kUnsigned) return Payload{.kind = Payload::Kind::kUnsigned, .text = std::string(kUnsigned)};
  if (family == ErrorFamily::kS3 && claim.scope.presigned && !given) return Payload{.kind = Payload::Kind::kUnsigned, .text = std::string(kUnsigned)};
  if (given && given->starts_with("STREAMING-")) return chunked_payload(request, *given);
  if (given && !is_hash(*given))
    return std::unexpected(Failure{Problem::kMalformedBody, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."});
  if (!given && (request.stream || family == ErrorFamily::kS3))
    return std::unexpected(Failure{Problem::kMalformedBody, "Missing required header for this request: x-amz-content-sha256"});
  out.text = given ? std::string(*given) : hex_encode(sha256(request.body));
  return out;
}

std::optional<Failure> failure_of(AwsChunkedDecoder::Error error) {
  using Error = AwsChunkedDecoder::Error;
  switch (error) {
    case Error::kNone: return std::nullopt;
    case Error::kMalformed: return Failure{Problem::kMalformedBody, "The chunked payload is malformed"};
    case Error::kSignature: return Failure{Problem::kMismatch, "The request signature we calculated does not match the signature you provided. Check your key and signing method."};
    case Error::kChecksum: return Failure{Problem::kChecksum, "The checksum in the trailer did not match what we received."};
    case Error::kLength: return Failure{Problem::kBodyLength, "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header."};
    case Error::kTooLarge: return Failure{Problem::kTooLarge, "A chunk or trailer of the payload is too large"};
  }
  std::abort();
}

[[noreturn]] void raise(ErrorFamily family, Failure failure) {
  const SignatureError error = make_error(family, failure.problem, std::move(failure.message));
  throw ApiError(ErrorSpec{error.code, error.http_status, Fault::kClient}, error.message);
}

constexpr const char* kPayloadMismatch = "The provided 'x-amz-content-sha256' header does not match what was computed.";

class ChunkedSource : public http::ByteSource {
 public:
  ChunkedSource(std::shared_ptr<http::ByteSource> from, AwsChunkedDecoder decoder, ErrorFamily family)
      : from_(std::move(from)), decoder_(std::move(decoder)), family_(family) {}
  awaitable<std::optional<std::string>> read() override {
    for (;;) {
      auto piece = co_await from_->read();
      std::string out;
      if (auto failure = failure_of(piece ? decoder_.push(*piece, out) : decoder_.finish())) raise(family_, std::move(*failure));
      if (!piece) co_return std::nullopt;
      if (!out.empty()) co_return out;
    }
  }

 private:
  std::shared_ptr<http::ByteSource> from_;
  AwsChunkedDecoder decoder_;
  ErrorFamily family_;
};

class HashedSource : public http::ByteSource {
 public:
  HashedSource(std::shared_ptr<http::ByteSource> from, std::string want, ErrorFamily family)
      : from_(std::move(from)), want_(std::move(want)), family_(family) {}
  awaitable<std::optional<std::string>> read() override {
    auto piece = co_await from_->read();
    if (piece) digest_.update(*piece);
    else if (!std::exchange(checked_, true) && hex_encode(digest_.finish()) != want_) raise(family_, Failure{Problem::kPayload, kPayloadMismatch});
    co_return piece;
  }

 private:
  std::shared_ptr<http::ByteSource> from_;
  std::string want_;
  ErrorFamily family_;
  Digest digest_{Digest::Kind::kSha256};
  bool checked_ = false;
};

std::optional<Failure> open_payload(http::Request& request, Payload payload, ErrorFamily family) {
  if (payload.kind == Payload::Kind::kUnsigned) return std::nullopt;
  if (payload.kind == Payload::Kind::kHash) {
    if (request.stream) request.stream = std::make_shared<HashedSource>(request.stream, payload.text, family);
    else if (hex_encode(sha256(request.body)) != payload.text) return Failure{Problem::kPayload, kPayloadMismatch};
    return std::nullopt;
  }
  AwsChunkedDecoder decoder(std::move(payload.chunks));
  if (request.stream) {
    request.stream = std::make_shared<ChunkedSource>(request.stream, std::move(decoder), family);
    return std::nullopt;
  }
  std::string out;
  auto error = decoder.push(request.body, out);
  if (error == AwsChunkedDecoder::Error::kNone) error = decoder.finish();
  if (auto failure = failure_of(error)) return failure;
  request.body = std::move(out);
  return std::nullopt;
}

std::string derive_signing_key(std::string_view secret, const SignatureScope& scope) {
  auto key = hmac_sha256("AWS4" + std::string(secret), scope.date);
  for (std::string_view step : {std::string_view(scope.region), std::string_view(scope.service), std::string_view("aws4_request")})
    key = hmac_sha256(as_bytes(key), step);
  return std::string(as_bytes(key));
}

// A key serves for a day: the last ones of each thread are kept, found by all that they are derived from.
std::string signing_key(std::string_view secret, const SignatureScope& scope) {
  struct Known { std::string secret, date, region, service, key; };
  constexpr std::size_t kKnownMax = 16;
  thread_local std::vector<Known> known;
  thread_local std::size_t next = 0;
  for (const Known& k : known) {
    if (k.date == scope.date && k.region == scope.region && k.service == scope.service && equal_constant_time(k.secret, secret)) return k.key;
  }
  Known fresh{std::string(secret), scope.date, scope.region, scope.service, derive_signing_key(secret, scope)};
  std::string key = fresh.key;
  if (known.size() < kKnownMax) known.push_back(std::move(fresh));
  else known[next++ % kKnownMax] = std::move(fresh);
  return key;
}

std::expected<SignatureScope, Failure> verify(http::Request& request, const VerifyOptions& options) {
  const auto fail = [](Failure failure) { return std::unexpected(std::move(failure)); };
  const Query query = decode_query(request.query());
  auto claim = read_claim(request, query);
  if (!claim) return fail(std::move(claim.error()));
  if (auto bad = check_time(*claim, *options.clock)) return fail(std::move(*bad));
  const SignatureScope& scope = claim->scope;
  if (!options.service.empty() && scope.service != options.service)
    return fail({Problem::kMismatch, fmt::format("Credential should be scoped to correct service: '{}'.", options.service)});
  if (!options.region.empty() && scope.region != options.region)
    return fail({Problem::kMismatch, fmt::format("Credential should be scoped to a valid region, not '{}'.", scope.region)});
  if (auto bad = check_signed_headers(request, *claim)) return fail(std::move(*bad));
  const auto credential = options.find_credential(scope.access_key_id);
  if (!credential) return fail({Problem::kUnknownKey, options.family == ErrorFamily::kS3 ? "The AWS Access Key Id you provided does not exist in our records." : "The security token included in the request is invalid."});
  if (!equal_constant_time(credential->session_token, claim->token))
    return fail({Problem::kBadToken, "The security token included in the request is invalid."});
  auto payload = payload_of(request, *claim, options.family);
  if (!payload) return fail(std::move(payload.error()));
  std::string canonical;
  canonical.reserve(1000);
  canonical.append(request.method).append(1, '\n').append(canonical_path(request.path(), options.family)).append(1, '\n');
  canonical.append(canonical_query(query)).append(1, '\n');
  for (const std::string& name : claim->signed_headers) append_canonical_header(request, name, canonical);
  for (const std::string& name : claim->signed_headers) canonical.append(&name == &claim->signed_headers.front() ? "\n" : ";").append(name);
  canonical.append(1, '\n').append(payload->text);
  std::string to_sign(kAlgorithm);
  to_sign.append(1, '\n').append(claim->date_time).append(1, '\n').append(claim->credential_scope()).append(1, '\n').append(hex_encode(sha256(canonical)));
  std::string key = signing_key(credential->secret, scope);
  if (!equal_constant_time(hex_encode(hmac_sha256(key, to_sign)), claim->signature))
    return fail({Problem::kMismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."});
  if (payload->signed_chunks) payload->chunks.signing = ChunkSigning{std::move(key), claim->date_time, claim->credential_scope(), claim->signature};
  if (auto bad = open_payload(request, std::move(*payload), options.family)) return fail(std::move(*bad));
  return scope;
}

}  // namespace

std::optional<SignatureScope> parse_scope(const http::Request& request) {
  auto claim = read_claim(request, decode_query(request.query()));
  if (!claim) return std::nullopt;
  return std::move(claim->scope);
}

std::expected<SignatureScope, SignatureError> verify_signature(http::Request& request, const VerifyOptions& options) {
  auto result = verify(request, options);
  if (!result) return std::unexpected(make_error(options.family, result.error().problem, std::move(result.error().message)));
  return std::move(*result);
}

void decode_unverified_payload(http::Request& request, ErrorFamily family) {
  const std::string given(request.headers.get("x-amz-content-sha256"));
  if (!given.starts_with("STREAMING-")) return;
  auto payload = chunked_payload(request, given);
  if (!payload) raise(family, std::move(payload.error()));
  if (auto failure = open_payload(request, std::move(*payload), family)) raise(family, std::move(*failure));
}

// The decoder of aws_chunked.h.
namespace {

using Error = AwsChunkedDecoder::Error;
constexpr std::size_t kSignedChunkBytesMax = 16u << 20;
constexpr std::size_t kLineBytesMax = 4u << 10;
constexpr std::size_t kTrailerBytesMax = 8u << 10;
constexpr std::string_view kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

template <class Word>
std::string big_endian(Word value) {
  std::string out;
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

AwsChunkedDecoder::AwsChunkedDecoder(Options options) : options_(std::move(options)) {}

Error AwsChunkedDecoder::push(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (state_ == State::kDone) return Error::kMalformed;
    if (state_ == State::kData) {
      const std::string_view piece = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
      take_data(piece, out);
      bytes.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const std::size_t lf = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, lf == std::string_view::npos ? lf : lf + 1);
    line_ += piece;
    bytes.remove_prefix(piece.size());
    if (line_.size() > kLineBytesMax) return Error::kTooLarge;
    if (lf == std::string_view::npos) break;
    if (!line_.ends_with("\r\n")) {
      // Trailer lines alone may end in a bare line feed, as the S3 reference prints them.
      if (state_ != State::kTrailer) return Error::kMalformed;
    }
    const std::string line(trim(std::string_view(line_).substr(0, line_.size() - 1)));
    line_.clear();
    Error error = Error::kNone;
    if (state_ == State::kHeader) error = read_header(line);
    else if (state_ == State::kTrailer) error = read_trailer(line);
    else error = line.empty() ? end_chunk(out) : Error::kMalformed;
    if (error != Error::kNone) return error;
  }
  return Error::kNone;
}

Error AwsChunkedDecoder::finish() const {
  if (state_ != State::kDone) return Error::kMalformed;
  if (options_.decoded_length && total_ != *options_.decoded_length) return Error::kLength;
  return Error::kNone;
}

Error AwsChunkedDecoder::read_header(std::string_view line) {
  const auto [end, bad] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
  if (bad != std::errc{}) return Error::kMalformed;
  std::string_view rest(end, static_cast<std::size_t>(line.data() + line.size() - end));
  chunk_signature_.clear();
  if (constexpr std::string_view kName = ";chunk-signature="; rest.starts_with(kName)) {
    chunk_signature_ = rest.substr(kName.size());
    rest = {};
  }
  if (!rest.empty()) return Error::kMalformed;
  if (options_.signing && chunk_signature_.empty()) return Error::kSignature;
  if (options_.signing && left_ > kSignedChunkBytesMax) return Error::kTooLarge;
  if (options_.decoded_length && left_ > *options_.decoded_length - std::min(total_, *options_.decoded_length)) return Error::kLength;
  last_ = left_ == 0;
  state_ = left_ > 0 ? State::kData : State::kDataEnd;
  if (!last_) return Error::kNone;
  // The last chunk has no data of its own; what follows is the end, or the trailer.
  if (options_.signing && !check_signature("AWS4-HMAC-SHA256-PAYLOAD", fmt::format("{}\n{}", kEmptyHash, kEmptyHash), chunk_signature_))
    return Error::kSignature;
  state_ = options_.has_trailer ? State::kTrailer : State::kDataEnd;
  return Error::kNone;
}

void AwsChunkedDecoder::take_data(std::string_view bytes, std::string& out) {
  total_ += bytes.size();
  for (const std::string& name : options_.trailer_names) {
    if (name == "x-amz-checksum-crc32") crc32_ = crc32(bytes, crc32_);
    else if (name == "x-amz-checksum-crc32c") crc32c_ = crc32c(bytes, crc32c_);
    else if (name == "x-amz-checksum-crc64nvme") crc64nvme_ = crc64nvme(bytes, crc64nvme_);
    else if (name == "x-amz-checksum-sha256") sha256_.update(bytes);
    else if (name == "x-amz-checksum-sha1") sha1_.update(bytes);
  }
  (options_.signing ? pending_ : out) += bytes;
}

Error AwsChunkedDecoder::end_chunk(std::string& out) {
  if (last_) {
    state_ = State::kDone;
    return Error::kNone;
  }
  if (options_.signing) {
    if (!check_signature("AWS4-HMAC-SHA256-PAYLOAD", fmt::format("{}\n{}", kEmptyHash, hex_encode(sha256(pending_))), chunk_signature_))
      return Error::kSignature;
    out += pending_;
    pending_.clear();
  }
  state_ = State::kHeader;
  return Error::kNone;
}

Error AwsChunkedDecoder::read_trailer(std::string_view line) {
  if (line.empty()) return end_trailer();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Error::kMalformed;
  const std::string name = to_lower(trim(line.substr(0, colon)));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "x-amz-trailer-signature") {
    trailer_signature_ = value;
    return Error::kNone;
  }
  const bool repeated = std::any_of(trailers_.begin(), trailers_.end(), [&](const auto& t) { return t.first == name; });
  if (repeated || !trailer_signature_.empty() || std::find(options_.trailer_names.begin(), options_.trailer_names.end(), name) == options_.trailer_names.end())
    return Error::kMalformed;
  trailer_lines_ += fmt::format("{}:{}\n", name, value);
  if (trailer_lines_.size() > kTrailerBytesMax) return Error::kTooLarge;
  trailers_.emplace_back(std::move(name), value);
  return Error::kNone;
}

Error AwsChunkedDecoder::end_trailer() {
  if (options_.signing && !check_signature("AWS4-HMAC-SHA256-TRAILER", hex_encode(sha256(trailer_lines_)), trailer_signature_))
    return Error::kSignature;
  for (const std::string& name : options_.trailer_names)
    if (std::none_of(trailers_.begin(), trailers_.end(), [&](const auto& t) { return t.first == name; })) return Error::kMalformed;
  for (const auto& [name, value] : trailers_) {
    std::optional<std::string> bytes;
    if (name == "x-amz-checksum-crc32") bytes = big_endian(crc32_);
    else if (name == "x-amz-checksum-crc32c") bytes = big_endian(crc32c_);
    else if (name == "x-amz-checksum-crc64nvme") bytes = big_endian(crc64nvme_);
    else if (name == "x-amz-checksum-sha256") bytes = sha256_.finish();
    else if (name == "x-amz-checksum-sha1") bytes = sha1_.finish();
    if (bytes && base64_encode(*bytes) != value) return Error::kChecksum;
  }
  state_ = State::kDone;
  return Error::kNone;
}

bool AwsChunkedDecoder::check_signature(std::string_view kind, std::string_view hashes, std::string_view signature) {
  ChunkSigning& s = *options_.signing;
  const std::string text = fmt::format("{}\n{}\n{}\n{}\n{}", kind, s.date, s.scope, s.signature, hashes);
  std::string want = hex_encode(hmac_sha256(s.key, text));
  const bool ok = equal_constant_time(want, signature);
  s.signature = std::move(want);
  return ok;
}

}  // namespace parvis::aws
