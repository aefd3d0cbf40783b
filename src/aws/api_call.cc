#include "aws/api_call.h"

#include <stdexcept>

#include <fmt/format.h>

#include "aws/model.h"

namespace parvis::aws {
namespace {

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

// "1-5759e988-bd862e3fe1be46a994272793"
bool is_trace_id(std::string_view text) {
  return text.size() == 35 && text.starts_with("1-") && text[10] == '-' && is_hex(text.substr(2, 8), 8) &&
         is_hex(text.substr(11), 24);
}

}  // namespace

std::string TraceContext::header() const {
  std::string text = "Root=" + trace_id;
  if (!parent_id.empty()) text += ";Parent=" + parent_id;
  text += sampled ? ";Sampled=1" : ";Sampled=0";
  return lineage.empty() ? text : text + ";Lineage=" + lineage;
}

std::optional<TraceContext> TraceContext::parse(std::string_view header) {
  TraceContext trace;
  if (header.size() > 1024) return std::nullopt;
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(';'), header.size());
    std::string_view part = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    while (part.starts_with(' ')) part.remove_prefix(1);
    const std::size_t equals = part.find('=');
    if (equals == part.npos) continue;
    const std::string_view name = part.substr(0, equals), value = part.substr(equals + 1);
    if (name == "Root") trace.trace_id = value;
    if (name == "Parent" && is_hex(value, 16)) trace.parent_id = value;
    if (name == "Sampled") trace.sampled = value != "0";
    if (name == "Lineage" && value.find_first_not_of("0123456789abcdefABCDEF:|-") == value.npos) trace.lineage = value;
  }
  if (!is_trace_id(trace.trace_id)) return std::nullopt;
  return trace;
}

void Registry::bind_erased(const OperationModel& model, Erased handler) {
  auto [at, fresh] = entries_.try_emplace({std::string(model.service), std::string(model.name)},
                                          Entry{&model, std::move(handler)});
  if (!fresh) throw std::logic_error(fmt::format("{}:{} is bound twice", model.service, model.name));
}

const Registry::Entry* Registry::find(std::string_view service, std::string_view operation) const {
  const auto at = entries_.find(std::pair<std::string, std::string>(service, operation));
  return at == entries_.end() ? nullptr : &at->second;
}

}  // namespace parvis::aws
