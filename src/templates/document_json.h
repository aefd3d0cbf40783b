// templates/document_json.h: JSON templates: the tree from Boost.JSON (strict), the positions from a walk over the valid text.
#pragma once

#include <optional>
#include <string_view>

#include "templates/document.h"

namespace parvis::templates {

// Fills out.root and out.positions. Returns what is wrong with the text, if anything.
std::optional<Diagnostic> parse_json_document(std::string_view text, Document& out);

}  // namespace parvis::templates
