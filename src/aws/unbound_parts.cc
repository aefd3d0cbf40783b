#include "aws/unbound_parts.h"

#include <algorithm>
#include <array>

#include "core/ascii.h"

namespace parvis::aws::detail {
namespace {

constexpr std::size_t kIgnoredMax = 100;
constexpr std::size_t kNameShownMax = 200;  // bytes

// Sources: Signature Version 4 of the IAM User Guide; the middleware of the AWS SDKs.
constexpr std::array<std::string_view, 16> kTransportHeaders = {
    "x-amz-api-version", "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length", "x-amz-region-set", "x-amz-s3session-token",
    "x-amz-sdk-checksum-algorithm", "x-amz-security-token", "x-amz-target", "x-amz-te", "x-amz-trailer", "x-amz-user-agent",
    "x-amzn-query-mode", "x-amzn-trace-id", "x-amzn-transform", "x-amz-checksum-mode"};
// Checked over the body wherever one comes: body_digest.h.
constexpr std::string_view kChecksumPrefix = "x-amz-checksum-";
constexpr std::array<std::string_view, 12> kTransportParameters = {
    "x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token", "x-amz-signature",
    "x-amz-signedheaders", "x-amz-user-agent", "x-id", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-mode"};

bool contains(std::span<const std::string_view> names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

bool binds_header(const OperationModel& op, std::string_view name) {
  return std::ranges::any_of(op.input->members, [&](const Member& m) {
    if (m.location == Location::kHeader) return to_lower(m.wire) == name;
    return m.location == Location::kHeaders && name.starts_with(to_lower(m.wire));
  });
}

bool binds_parameter(const OperationModel& op, std::string_view name) {
  return is_in_uri(op.uri, name) || std::ranges::any_of(op.input->members, [&](const Member& m) {
    return m.location == Location::kQuery && (m.wire == name || m.shape->kind == Kind::kMap);
  });
}

}  // namespace

bool is_in_uri(std::string_view uri, std::string_view parameter) {
  const std::size_t mark = uri.find('?');
  if (mark == uri.npos) return false;
  return std::ranges::any_of(http::parse_query(uri.substr(mark + 1)), [&](const auto& p) { return p.first == parameter; });
}

void note_unbound_parts(const OperationModel& op, const http::Headers& headers, const std::vector<std::pair<std::string, std::string>>& query,
                        std::vector<std::string>& ignored) {
  const auto note = [&](std::string part) {
    if (ignored.size() < kIgnoredMax && std::ranges::find(ignored, part) == ignored.end()) ignored.push_back(std::move(part));
  };
  for (const auto& [name, value] : query) {
    if (!contains(kTransportParameters, to_lower(name)) && !binds_parameter(op, name)) note("?" + name.substr(0, kNameShownMax));
  }
  for (const auto& [name, value] : headers) {
    if (name.size() < 6 || (name[0] | 0x20) != 'x') continue;  // most headers are none of these
    const std::string known = to_lower(name);
    if (!known.starts_with("x-amz-") && !known.starts_with("x-amzn-")) continue;
    if (contains(kTransportHeaders, known) || known.starts_with(kChecksumPrefix) || binds_header(op, known)) continue;
    note(known.substr(0, kNameShownMax) + ":");
  }
}

}  // namespace parvis::aws::detail
