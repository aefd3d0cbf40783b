// platform/esbuild_messages.h: what esbuild says and makes, read for people: a mistake in a source names file, line and column as a template's does.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "functions/bundle.h"
#include "templates/document.h"

namespace parvis::platform {

// The line and a mark under the place stand behind the message's text.
templates::Diagnostic to_diagnostic(const functions::BundleMessage& message, templates::Severity severity);

// The names that a bundle in CommonJS form exports, as esbuild annotates them for Node.js; nullopt: it does not say (the
// source is CommonJS itself).
std::optional<std::set<std::string>> exports_of_bundle(std::string_view javascript);

}  // namespace parvis::platform
