#include "templates/document.h"

#include <charconv>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "templates/document_json.h"

namespace parvis::templates {

namespace {

std::string escape_token(std::string_view key) {
  std::string out;
  out.reserve(key.size());
  for (char c : key) {
    if (c == '~') out += "~0";
    else if (c == '/') out += "~1";
    else out += c;
  }
  return out;
}

struct Refused {
  Position position;
  std::string what, hint;
};

Position to_position(const YAML::Mark& mark) {
  return {static_cast<unsigned>(mark.line + 1), static_cast<unsigned>(mark.column + 1)};
}

std::optional<json::value> parse_integer(std::string_view text) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  std::string plain;
  int base = 10;
  if (digits.starts_with("0x")) { base = 16; digits.remove_prefix(2); }
  else if (digits.starts_with("0b")) { base = 2; digits.remove_prefix(2); }
  else if (digits.size() > 1 && digits.starts_with('0')) { base = 8; digits.remove_prefix(1); }
  if (digits.empty() || digits.front() == '_') return std::nullopt;
  for (char c : digits) if (c != '_') plain += c;
  if (plain.empty()) return std::nullopt;
  std::uint64_t magnitude = 0;
  auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), magnitude, base);
  if (error != std::errc{} || end != plain.data() + plain.size()) return std::nullopt;
  if (magnitude > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  const auto value = static_cast<std::int64_t>(magnitude);
  return json::value(negative ? -value : value);
}

std::optional<json::value> parse_float(std::string_view text) {
  // YAML 1.1 asks for a dot; "1e3" stays text, as in PyYAML.
  if (text.find('.') == std::string_view::npos || text.find_first_of("0123456789") == std::string_view::npos) return std::nullopt;
  if (text.find_first_not_of("0123456789+-.eE_") != std::string_view::npos) return std::nullopt;
  std::string plain;
  for (char c : text) if (c != '_') plain += c;
  std::string_view body = plain;
  if (body.starts_with('+')) body.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), value);
  if (error != std::errc{} || end != body.data() + body.size()) return std::nullopt;
  return json::value(value);
}

// A plain scalar by YAML 1.1's rules. Dates stay text: CloudFormation has no type for them.
json::value plain_scalar(const std::string& text) {
  static const std::map<std::string_view, json::value> kWords = {
      {"", nullptr}, {"~", nullptr}, {"null", nullptr}, {"Null", nullptr}, {"NULL", nullptr},
      {"true", true}, {"True", true}, {"TRUE", true}, {"yes", true}, {"Yes", true}, {"YES", true}, {"on", true}, {"On", true}, {"ON", true},
      {"false", false}, {"False", false}, {"FALSE", false}, {"no", false}, {"No", false}, {"NO", false}, {"off", false}, {"Off", false}, {"OFF", false}};
  if (auto it = kWords.find(text); it != kWords.end()) return it->second;
  if (text.find_first_of("0123456789") == std::string::npos) return json::string(text);
  if (auto number = parse_integer(text)) return *number;
  if (auto number = parse_float(text)) return *number;
  return json::string(text);
}

const std::map<std::string_view, std::string_view>& short_forms() {
  static const std::map<std::string_view, std::string_view> kForms = {
      {"!Ref", "Ref"}, {"!Condition", "Condition"}, {"!GetAtt", "Fn::GetAtt"}, {"!Sub", "Fn::Sub"}, {"!Join", "Fn::Join"},
      {"!Select", "Fn::Select"}, {"!Split", "Fn::Split"}, {"!If", "Fn::If"}, {"!Equals", "Fn::Equals"}, {"!And", "Fn::And"},
      {"!Or", "Fn::Or"}, {"!Not", "Fn::Not"}, {"!FindInMap", "Fn::FindInMap"}, {"!Base64", "Fn::Base64"}, {"!GetAZs", "Fn::GetAZs"},
      {"!ImportValue", "Fn::ImportValue"}, {"!Cidr", "Fn::Cidr"}, {"!Transform", "Fn::Transform"}, {"!Length", "Fn::Length"},
      {"!ToJsonString", "Fn::ToJsonString"}, {"!ForEach", "Fn::ForEach"}};
  return kForms;
}

// Builds the tree from the parser's events: aliases cost what they expand to, so their growth is seen as it happens.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Document& out) : out_(out) {}
  bool done() const { return done_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (done_) throw Refused{to_position(mark), "a second document begins here", "keep one template in a file"};
  }
  void OnDocumentEnd() override { done_ = true; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, nullptr, anchor, {}); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto it = anchors_.find(anchor);
    if (it == anchors_.end()) throw Refused{to_position(mark), "an alias refers to a node that contains it", "write the value out"};
    count(it->second.nodes, mark);
    add_value(mark, it->second.value);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    const bool is_key = !stack_.empty() && stack_.back().is_map && !stack_.back().has_key;
    if (is_key) {  // keys are text, whatever they look like
      if (tag == "?" || tag == "!" || tag.empty() || tag == "tag:yaml.org,2002:str") return take_key(mark, text);
      throw Refused{to_position(mark), fmt::format("a key has the tag '{}'", tag), "use plain text as the key"};
    }
    json::value value;
    if (tag == "?" || tag.empty()) value = plain_scalar(text);
    else value = json::string(text);
    add(mark, std::move(value), anchor, tag);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, false);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, true);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    bool is_map = false, has_key = false;
    json::value value;
    std::string pointer;     // of the container's own value
    std::string key;
    YAML::Mark mark;
    std::string tag;
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0;
    std::vector<json::value> merges;
  };
  struct Anchor {
    json::value value;
    std::size_t nodes;
  };

  void count(std::size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > kTemplateNodesMax) {
      throw Refused{to_position(mark), fmt::format("the template has more than {} values", kTemplateNodesMax), "split it, or use fewer aliases"};
    }
  }

  // The pointer of the next value, in the frame that is open.
  std::string next_pointer() const {
    if (stack_.empty()) return "";
    const Frame& top = stack_.back();
    return top.is_map ? child(top.pointer, top.key) : child(top.pointer, top.value.as_array().size());
  }

  void take_key(const YAML::Mark& mark, const std::string& text) {
    Frame& top = stack_.back();
    if (text != "<<" && top.value.as_object().contains(text)) {
      throw Refused{to_position(mark), fmt::format("the key '{}' is here twice", text), "remove one of the two"};
    }
    top.key = text;
    top.has_key = true;
    out_.positions[child(top.pointer, text)] = to_position(mark);
  }

  // Long-form name of a tag's function; empty for a value without one.
  std::string_view function_of(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return {};
    auto it = short_forms().find(tag);
    if (it == short_forms().end()) {
      throw Refused{to_position(mark), fmt::format("'{}' is not an intrinsic function", tag), "see the list of short forms in CloudFormation's documentation"};
    }
    return it->second;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, bool is_map) {
    if (!stack_.empty() && stack_.back().is_map && !stack_.back().has_key) {
      throw Refused{to_position(mark), "a key is a list or a mapping", "use text as the key"};
    }
    if (stack_.size() >= kTemplateDepthMax) {
      throw Refused{to_position(mark), fmt::format("values are nested more than {} levels deep", kTemplateDepthMax), "flatten this part"};
    }
    Frame frame;
    frame.nodes_before = nodes_;
    count(1, mark);
    frame.is_map = is_map;
    if (is_map) frame.value = json::object();
    else frame.value = json::array();
    frame.pointer = next_pointer();
    out_.positions.try_emplace(frame.pointer, to_position(mark));
    if (auto function = function_of(mark, tag); !function.empty()) frame.pointer = child(frame.pointer, function);
    frame.mark = mark;
    frame.tag = tag;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    for (json::value& merge : frame.merges) {
      for (auto& [key, value] : merge.as_object()) {
        if (!frame.value.as_object().contains(key)) frame.value.as_object().emplace(key, value);
      }
    }
    json::value value = wrap(frame.mark, frame.tag, std::move(frame.value));
    if (frame.anchor != 0) anchors_[frame.anchor] = {value, nodes_ - frame.nodes_before};
    add_value(frame.mark, std::move(value));
  }

  void add(const YAML::Mark& mark, json::value value, YAML::anchor_t anchor, const std::string& tag) {
    count(1, mark);
    value = wrap(mark, tag, std::move(value));
    if (anchor != 0) anchors_[anchor] = {value, 1};
    add_value(mark, std::move(value));
  }

  json::value wrap(const YAML::Mark& mark, const std::string& tag, json::value value) const {
    const std::string_view function = function_of(mark, tag);
    if (function.empty()) {
      if (tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" || tag == "tag:yaml.org,2002:bool" || tag == "tag:yaml.org,2002:null") {
        if (value.is_string()) return plain_scalar(std::string(value.as_string()));
      }
      return value;
    }
    if (function == "Fn::GetAtt" && value.is_string()) {
      const std::string text(value.as_string());
      const auto dot = text.find('.');
      if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
        throw Refused{to_position(mark), fmt::format("!GetAtt '{}' has no attribute", text), "write !GetAtt LogicalId.Attribute"};
      }
      value = json::array{text.substr(0, dot), text.substr(dot + 1)};
    }
    return json::object{{function, std::move(value)}};
  }

  void add_value(const YAML::Mark& mark, json::value value) {
    if (stack_.empty()) {
      out_.positions.try_emplace("", to_position(mark));
      out_.root = std::move(value);
      return;
    }
    Frame& top = stack_.back();
    if (!top.is_map) {
      out_.positions.try_emplace(next_pointer(), to_position(mark));
      top.value.as_array().push_back(std::move(value));
      return;
    }
    if (!top.has_key) throw Refused{to_position(mark), "a key is not text", "use text as the key"};
    top.has_key = false;
    if (top.key == "<<") return merge(mark, std::move(value));
    top.value.as_object().emplace(top.key, std::move(value));
  }

  void merge(const YAML::Mark& mark, json::value value) {
    Frame& top = stack_.back();
    if (value.is_object()) { top.merges.push_back(std::move(value)); return; }
    if (value.is_array()) {
      for (json::value& part : value.as_array()) {
        if (!part.is_object()) throw Refused{to_position(mark), "'<<' merges something that is not a mapping", "merge mappings only"};
        top.merges.push_back(part);
      }
      return;
    }
    throw Refused{to_position(mark), "'<<' merges something that is not a mapping", "merge mappings only"};
  }

  Document& out_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Anchor> anchors_;
  std::size_t nodes_ = 0;
  bool done_ = false;
};

// yaml-cpp fails on a tab in the indentation with a message that does not name it.
std::string yaml_hint(std::string_view text, const YAML::Mark& mark) {
  std::size_t begin = 0;
  for (int line = 0; line < mark.line && begin < text.size(); ++line) {
    const auto end = text.find('\n', begin);
    if (end == std::string_view::npos) break;
    begin = end + 1;
  }
  const std::string_view line = text.substr(begin, text.substr(begin).find('\n'));
  const auto first = line.find_first_not_of(' ');
  if (first != std::string_view::npos && line[first] == '\t') return "indent with spaces, YAML does not allow tabs";
  return "check the indentation and the quotes around this line";
}

}  // namespace

std::string Diagnostic::str() const {
  std::string out = file;
  if (position.line != 0) out += fmt::format(":{}:{}", position.line, position.column);
  if (!out.empty()) out += ": ";
  if (severity == Severity::kWarning) out += "warning: ";
  out += what;
  if (!hint.empty()) out += "; " + hint;
  return out;
}

std::string child(std::string_view pointer, std::string_view key) { return fmt::format("{}/{}", pointer, escape_token(key)); }
std::string child(std::string_view pointer, std::size_t index) { return fmt::format("{}/{}", pointer, index); }

Position Document::at(std::string_view pointer) const {
  for (;;) {
    if (auto it = positions.find(pointer); it != positions.end()) return it->second;
    if (pointer.empty()) return {};
    pointer = pointer.substr(0, pointer.rfind('/') == std::string_view::npos ? 0 : pointer.rfind('/'));
  }
}

Diagnostic Document::error(std::string_view pointer, std::string what, std::string hint) const {
  return {Severity::kError, file, at(pointer), std::move(what), std::move(hint)};
}
Diagnostic Document::warning(std::string_view pointer, std::string what, std::string hint) const {
  return {Severity::kWarning, file, at(pointer), std::move(what), std::move(hint)};
}

std::expected<Document, Diagnostic> parse_document(std::string_view text, std::string file) {
  Document out;
  out.file = std::move(file);
  if (text.size() > kTemplateBytesMax) {
    return std::unexpected(Diagnostic{Severity::kError, out.file, {}, fmt::format("the template has {} bytes, the limit is {}", text.size(), kTemplateBytesMax),
                                      "split it into smaller stacks"});
  }
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    if (auto problem = parse_json_document(text, out)) return std::unexpected(*problem);
  } else {
    try {
      std::istringstream stream{std::string(text)};
      YAML::Parser parser(stream);
      Builder builder(out);
      while (parser.HandleNextDocument(builder)) {}
    } catch (const Refused& refused) {
      return std::unexpected(Diagnostic{Severity::kError, out.file, refused.position, refused.what, refused.hint});
    } catch (const YAML::Exception& error) {
      return std::unexpected(Diagnostic{Severity::kError, out.file, to_position(error.mark), error.msg, yaml_hint(text, error.mark)});
    }
  }
  if (!out.root.is_object()) {
    return std::unexpected(Diagnostic{Severity::kError, out.file, {1, 1}, "the template is not a mapping with a 'Resources' section",
                                      "begin with AWSTemplateFormatVersion and Resources"});
  }
  return out;
}

bool is_text(const json::value& value, std::string_view text) { return value.is_string() && std::string_view(value.as_string()) == text; }

std::string scalar_text(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_int64()) return std::to_string(value.as_int64());
  if (value.is_uint64()) return std::to_string(value.as_uint64());
  if (value.is_double()) return fmt::format("{}", value.as_double());
  return {};
}

}  // namespace parvis::templates
