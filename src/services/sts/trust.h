// sts/trust.h: whether a role's trust policy lets a caller assume it.
#pragma once

#include <string_view>

#include <boost/json.hpp>

namespace parvis::sts {

struct Assumption {
  std::string_view principal_arn;  // of the caller
  std::string_view account;        // of the caller
  std::string_view external_id;    // empty: none was sent
};

// Reads `Effect`, `Action`, `Principal.AWS` and the condition StringEquals on sts:ExternalId. What it cannot read does not
// allow: an Allow with another condition, NotPrincipal or NotAction grants nothing, and a Deny with one denies.
// Source: IAM User Guide, "AWS JSON policy elements".
bool trusts(const boost::json::value& policy, const Assumption& who);

}  // namespace parvis::sts
