#include "aws/validate.h"

#include <fmt/compile.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "aws/member_text.h"

namespace parvis::aws {
namespace {

constexpr std::size_t kErrorsMax = 10;       // named in one answer
constexpr std::size_t kValueBytesMax = 2048; // of an offending value in the text

void append_lower_first(std::string_view name, std::string& out) {
  const std::size_t at = out.size();
  out += name;
  if (!name.empty() && out[at] >= 'A' && out[at] <= 'Z') out[at] = static_cast<char>(out[at] | 0x20);
}

// As Java prints it, cut at kValueBytesMax.
void print(const Shape& shape, const void* value, std::string& out) {
  if (out.size() > kValueBytesMax) return;
  if (shape.sensitive) { out += "***Sensitive Data Redacted***"; return; }
  switch (shape.kind) {
    case Kind::kList:
      out += '[';
      for (std::size_t i = 0; i < shape.list->size(value) && out.size() < kValueBytesMax; ++i) {
        if (i) out += ", ";
        print(*shape.element, shape.list->at(value, i), out);
      }
      out += ']';
      return;
    case Kind::kMap: {
      struct Context { const Shape& element; std::string& out; bool first = true; } context{*shape.element, out};
      out += '{';
      shape.map->each(value, &context, [](void* c, const std::string& key, const void* item) {
        auto& [element, text, first] = *static_cast<Context*>(c);
        if (text.size() > kValueBytesMax) return;
        if (!std::exchange(first, false)) text += ", ";
        text += key + "=";
        print(element, item, text);
      });
      out += '}';
      return;
    }
    case Kind::kStructure: {
      bool first = true;
      out.append(shape.name) += '(';
      for (const Member& m : shape.members) {
        const void* field = m.value_in(value);
        if (!field) continue;
        if (!std::exchange(first, false)) out += ", ";
        append_lower_first(m.name, out);
        out += '=';
        print(*m.shape, field, out);
      }
      out += ')';
      return;
    }
    case Kind::kBlob: case Kind::kStream: case Kind::kEventStream: out += "java.nio.HeapByteBuffer"; return;
    case Kind::kDocument: case Kind::kOverride: out.append(shape.name); return;
    case Kind::kString: out.append(*static_cast<const std::string*>(value), 0, kValueBytesMax); return;
    case Kind::kInteger: case Kind::kLong: case Kind::kDouble: case Kind::kBoolean: case Kind::kTimestamp:
      out += scalar_to_text(shape, value, TimestampFormat::kDefault, TimestampFormat::kIso8601);
      return;
  }
}

class Validator {
 public:
  void value(const Shape& shape, const void* v) {
    if (count_ > kErrorsMax) return;
    switch (shape.kind) {
      case Kind::kString: return text(shape, v, *static_cast<const std::string*>(v));
      case Kind::kBlob: return length(shape, v, static_cast<const std::string*>(v)->size());
      case Kind::kInteger: return range(shape, v, *static_cast<const int*>(v));
      case Kind::kLong: return range(shape, v, static_cast<double>(*static_cast<const std::int64_t*>(v)));
      case Kind::kDouble: return range(shape, v, *static_cast<const double*>(v));
      case Kind::kList: return list(shape, v);
      case Kind::kMap: return map(shape, v);
      case Kind::kStructure: return structure(shape, v);
      case Kind::kBoolean: case Kind::kTimestamp: case Kind::kDocument: case Kind::kStream: case Kind::kEventStream: case Kind::kOverride: return;
    }
  }
  std::optional<std::string> message() const {
    if (!count_) return std::nullopt;
    return fmt::format("{} validation error{} detected: {}", std::min(count_, kErrorsMax), count_ == 1 ? "" : "s", text_);
  }

 private:
  void fail(const Shape* shape, const void* v, std::string_view constraint) {
    if (++count_ > kErrorsMax) return;
    if (count_ > 1) text_ += "; ";
    std::string shown = "null";
    if (v) {
      shown = "'";
      print(*shape, v, shown);
      shown += '\'';
    }
    text_ += fmt::format("Value {} at '{}' failed to satisfy constraint: {}", shown, path_, constraint);
  }

  void length(const Shape& shape, const void* v, std::size_t size) {
    if (shape.max && static_cast<std::int64_t>(size) > *shape.max) {
      fail(&shape, v, fmt::format("Member must have length less than or equal to {}", *shape.max));
    } else if (shape.min && static_cast<std::int64_t>(size) < *shape.min) {
      fail(&shape, v, fmt::format("Member must have length greater than or equal to {}", *shape.min));
    }
  }

  void range(const Shape& shape, const void* v, double number) {
    if (shape.max_value && number > *shape.max_value) {
      fail(&shape, v, "Member must have value less than or equal to " + number_to_text(*shape.max_value));
    } else if (shape.min_value && number < *shape.min_value) {
      fail(&shape, v, "Member must have value greater than or equal to " + number_to_text(*shape.min_value));
    }
  }

  void text(const Shape& shape, const void* v, const std::string& s) {
    if (shape.pattern && !shape.pattern->accepts(s)) {
      fail(&shape, v, fmt::format("Member must satisfy regular expression pattern: {}", shape.pattern->text));
    }
    if (shape.min || shape.max) length(shape, v, utf16_length(s));
    if (!shape.enum_values.empty() && std::ranges::find(shape.enum_values, std::string_view(s)) == shape.enum_values.end()) {
      fail(&shape, v, fmt::format("Member must satisfy enum value set: [{}]", fmt::join(shape.enum_values, ", ")));
    }
  }

  void list(const Shape& shape, const void* v) {
    const std::size_t size = shape.list->size(v);
    length(shape, v, size);
    if (!constrained(*shape.element)) return;
    const std::size_t mark = path_.size();
    for (std::size_t i = 0; i < size && count_ <= kErrorsMax; ++i) {
      fmt::format_to(std::back_inserter(path_), FMT_COMPILE(".{}.member"), i + 1);
      value(*shape.element, shape.list->at(v, i));
      path_.resize(mark);
    }
  }

  void map(const Shape& shape, const void* v) {
    length(shape, v, shape.map->size(v));
    if (!constrained(*shape.element) && !constrained(*shape.key)) return;
    struct Context { Validator& self; const Shape& shape; } context{*this, shape};
    shape.map->each(v, &context, [](void* c, const std::string& key, const void* item) {
      auto& [self, map_shape] = *static_cast<Context*>(c);
      const std::size_t mark = self.path_.size();
      if (constrained(*map_shape.key)) self.value(*map_shape.key, &key);
      (self.path_ += '.').append(key, 0, 255) += ".member";
      self.value(*map_shape.element, item);
      self.path_.resize(mark);
    });
  }

  void structure(const Shape& shape, const void* v) {
    const std::size_t mark = path_.size();
    std::size_t set = 0;
    for (const Member& m : shape.members) {
      const void* field = m.value_in(v);
      set += field != nullptr;
      if (!field && !m.required) continue;
      if (mark) path_ += '.';
      append_lower_first(m.name, path_);
      if (field) value(*m.shape, field);
      else fail(nullptr, nullptr, "Member must not be null");
      path_.resize(mark);
    }
    if (shape.is_union && set != 1) {
      fail(&shape, v, fmt::format("Member must have exactly one value set, but has {}", set));
    }
  }

  // Whether anything below the shape can fail: saves walking large maps and lists of plain values.
  static bool constrained(const Shape& shape) {
    switch (shape.kind) {
      case Kind::kBoolean: case Kind::kTimestamp: case Kind::kDocument: case Kind::kStream: case Kind::kEventStream: case Kind::kOverride: return false;
      case Kind::kStructure: return !shape.members.empty();
      case Kind::kList: case Kind::kMap: return true;
      case Kind::kString: case Kind::kBlob: case Kind::kInteger: case Kind::kLong: case Kind::kDouble: break;
    }
    return shape.min || shape.max || shape.min_value || shape.max_value || shape.pattern || !shape.enum_values.empty();
  }

  std::string path_, text_;
  std::size_t count_ = 0;
};

}  // namespace

std::optional<std::string> validate(const Shape& shape, const void* value) {
  Validator validator;
  validator.value(shape, value);
  return validator.message();
}

}  // namespace parvis::aws
