// Ion text becomes the wire form of the same item, whose rules then decide.
#include <algorithm>
#include <optional>

#include "core/hash.h"
#include "core/utf8.h"
#include "services/dynamodb/import_reader.h"
#include "services/dynamodb/ion_text.h"

namespace parvis::dynamodb {
namespace {

namespace json = boost::json;

constexpr int kDepthMax = 2 * kNestingDepthMax;  // the rules of items refuse far less
constexpr std::size_t kNumberTextMax = 512;

struct Malformed {
  std::string what;
};

[[noreturn]] void fail(std::string what) { throw Malformed{std::move(what)}; }

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  json::object item() {
    skip();
    while (!at_end() && peek() == '$') {  // one version marker, or more
      if (symbol() != "$ion_1_0") fail("The line does not begin with $ion_1_0");
      skip();
    }
    if (at_end() || peek() != '{') fail("The line has no struct");
    std::optional<json::object> found;
    members([&](std::string name) {
      if (name != "Item") fail("The struct has a member beside Item: " + name);
      if (found) fail("The struct has two members Item");
      skip();
      if (at_end() || peek() != '{' || in_.substr(at_, 2) == "{{") fail("Item is no struct");
      found = fields(1);
    });
    skip();
    if (!at_end()) fail("Something follows the item");
    if (!found) fail("The line has no member Item");
    return std::move(*found);
  }

 private:
  bool at_end() const { return at_ == in_.size(); }
  char peek() const { return in_[at_]; }
  char next() {
    if (at_end()) fail("The line ends too early");
    return in_[at_++];
  }
  bool take(std::string_view text) {
    if (in_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }

  // White space and comments.
  void skip() {
    for (;;) {
      while (!at_end() && is_space(peek())) ++at_;
      if (take("//")) {
        at_ = std::min(in_.find_first_of("\r\n", at_), in_.size());
      } else if (take("/*")) {
        const std::size_t end = in_.find("*/", at_);
        if (end == in_.npos) fail("A comment has no end");
        at_ = end + 2;
      } else {
        return;
      }
    }
  }

  std::string symbol() {
    const std::size_t begin = at_;
    while (!at_end() && (is_letter(peek()) || is_digit(peek()))) ++at_;
    return std::string(in_.substr(begin, at_ - begin));
  }

  // {name: value, …}: reads the names, and `member` the values.
  template <class Member>
  void members(const Member& member) {
    ++at_;
    for (;;) {
      skip();
      if (take("}")) return;
      std::string name = field_name();
      skip();
      if (!take(":")) fail("A field name has no colon");
      member(std::move(name));
      skip();
      if (take(",")) continue;
      if (take("}")) return;
      fail("A struct has no comma between its fields");
    }
  }

  std::string field_name() {
    if (at_end()) fail("The line ends too early");
    if (peek() == '"') return quoted('"');
    if (in_.substr(at_, 3) == "'''") return long_string();
    if (peek() == '\'') return quoted('\'');
    if (!is_letter(peek())) fail("A field name is no symbol");
    std::string name = symbol();
    if (name == "null" || name == "true" || name == "false" || name == "nan") fail("A field name is a keyword: " + name);
    if (name.size() > 1 && name[0] == '$' && std::all_of(name.begin() + 1, name.end(), is_digit)) fail("A field name stands in a symbol table: " + name);
    return name;
  }

  json::object fields(int depth) {
    if (depth > kDepthMax) fail("Nesting Levels have exceeded supported limits");
    json::object out;
    members([&](std::string name) {
      if (!out.emplace(name, value(depth + 1)).second) fail("A struct has two fields of one name: " + name);
    });
    return out;
  }

  json::value value(int depth) {
    if (depth > kDepthMax) fail("Nesting Levels have exceeded supported limits");
    skip();
    if (at_end()) fail("The line ends too early");
    const char c = peek();
    if (c == '"') return json::object{{"S", quoted('"')}};
    if (in_.substr(at_, 3) == "'''") return json::object{{"S", long_string()}};
    if (take("{{")) return json::object{{"B", blob()}};
    if (c == '{') return json::object{{"M", fields(depth)}};
    if (c == '[') return json::object{{"L", list(depth)}};
    if (c == '-' || is_digit(c)) return json::object{{"N", number()}};
    if (is_letter(c)) return word(depth);
    fail("A value is of a type that DynamoDB has not");
  }

  // true, false, null, or the annotation of a set.
  json::value word(int depth) {
    const std::string name = symbol();
    skip();
    if (take("::")) return set(name, depth);
    if (name == "true" || name == "false") return json::object{{"BOOL", name == "true"}};
    if (name == "null" && (at_end() || peek() != '.')) return json::object{{"NULL", true}};
    fail("A value is of a type that DynamoDB has not: " + name);
  }

  json::value set(const std::string& annotation, int depth) {
    if (annotation != "$dynamodb_SS" && annotation != "$dynamodb_NS" && annotation != "$dynamodb_BS") fail("An annotation that no type has: " + annotation);
    skip();
    if (at_end() || peek() != '[') fail(annotation + " annotates no list");
    const std::string type = annotation.substr(annotation.size() - 2), element = type.substr(0, 1);
    json::array values;
    for (json::value& each : list(depth)) {
      json::value* text = each.as_object().if_contains(element);
      if (!text) fail(annotation + " has an element of another type");
      values.push_back(std::move(*text));
    }
    return json::object{{type, std::move(values)}};
  }

  json::array list(int depth) {
    json::array out;
    ++at_;
    for (;;) {
      skip();
      if (take("]")) return out;
      out.push_back(value(depth + 1));
      skip();
      if (take(",")) continue;
      if (take("]")) return out;
      fail("A list has no comma between its elements");
    }
  }

  void digits(std::string& out) {
    if (at_end() || !is_digit(peek())) fail("A number has no digit");
    while (!at_end() && (is_digit(peek()) || peek() == '_')) {
      const char c = next();
      if (c != '_') out += c;
      else if (at_end() || !is_digit(peek())) fail("A number has an underscore that is between no digits");
    }
  }

  // An integer or a decimal, in the spelling of DynamoDB.
  std::string number() {
    std::string out;
    const std::size_t begin = at_;
    if (take("-")) out += '-';
    const std::size_t first = out.size();
    digits(out);
    if (out[first] == '0' && out.size() > first + 1) fail("A number has leading zeros");
    if (take(".") && !at_end() && is_digit(peek())) {
      out += '.';
      digits(out);
    }
    if (!at_end() && (peek() == 'd' || peek() == 'D')) {
      ++at_;
      out += 'e';
      if (!at_end() && (peek() == '-' || peek() == '+')) out += next();
      digits(out);
    }
    if (at_ - begin > kNumberTextMax) fail("A number is too long");
    // A float, a timestamp, another base.
    if (!at_end() && !is_space(peek()) && std::string_view(",]}/").find(peek()) == std::string_view::npos) fail("A value is of a type that DynamoDB has not");
    return out;
  }

  std::string blob() {
    std::string out;
    for (;;) {
      const char c = next();
      if (c == '}') {
        if (next() != '}') fail("A blob has no end");
        return out;
      }
      if (c == '"' || c == '\'') fail("A value is of a type that DynamoDB has not: clob");
      if (!is_space(c)) out += c;
    }
  }

  std::string quoted(char end) {
    std::string out;
    ++at_;
    for (;;) {
      const char c = next();
      if (c == end) return out;
      if (c == '\\') escape(out);
      else if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\v' && c != '\f') fail("A string has a control character");
      else out += c;
    }
  }

  // Pieces of '''…''' in a row are one string.
  std::string long_string() {
    std::string out;
    while (take("'''")) {
      while (!take("'''")) {
        const char c = next();
        if (c == '\\') escape(out);
        else out += c;
      }
      const std::size_t after = at_;
      skip();
      if (in_.substr(at_, 3) == "'''") continue;
      at_ = after;
    }
    return out;
  }

  std::uint32_t hex(int count) {
    std::uint32_t out = 0;
    for (int i = 0; i < count; ++i) {
      const char c = next();
      const int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) fail("An escape has a digit that is none");
      out = out << 4 | static_cast<std::uint32_t>(digit);
    }
    return out;
  }

  void escape(std::string& out) {
    static constexpr std::string_view kNames = "abtnfrv\"'?\\/0", kValues("\a\b\t\n\f\r\v\"'?\\/\0", 13);
    const char c = next();
    if (const std::size_t at = kNames.find(c); at != kNames.npos) return void(out += kValues[at]);
    switch (c) {
      case '\n': return;  // continues the line
      case '\r': return void(take("\n"));
      case 'x': return append_code_point(hex(2), out);
      case 'U': return append_code_point(hex(8), out);
      case 'u': break;
      default: fail("An escape that Ion has not");
    }
    std::uint32_t code = hex(4);
    if (code >= 0xd800 && code < 0xdc00) {
      if (!take("\\u")) fail("Half of a surrogate pair");
      const std::uint32_t low = hex(4);
      if (low < 0xdc00 || low > 0xdfff) fail("Half of a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_code_point(code, out);
  }

  static void append_code_point(std::uint32_t code, std::string& out) {
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) fail("An escape of no character");
    const auto push = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) return push(code);
    if (code < 0x800) {
      push(0xc0 | code >> 6);
    } else if (code < 0x10000) {
      push(0xe0 | code >> 12);
      push(0x80 | (code >> 6 & 0x3f));
    } else {
      push(0xf0 | code >> 18);
      push(0x80 | (code >> 12 & 0x3f));
      push(0x80 | (code >> 6 & 0x3f));
    }
    push(0x80 | (code & 0x3f));
  }

  std::string_view in_;
  std::size_t at_ = 0;
};

}  // namespace

std::expected<Item, std::string> item_of_ion(std::string_view line) {
  if (!is_utf8(line)) return std::unexpected("The line is not UTF-8");
  try {
    return item_of_wire(Reader(line).item());
  } catch (const Malformed& malformed) {
    return std::unexpected(malformed.what);
  }
}

}  // namespace parvis::dynamodb
