#include "templates/sam/py27.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace parvis::templates::sam {

namespace {

std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xFFu >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k) point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    out.push_back(point);
    i += length;
  }
  return out;
}

std::uint64_t hash_of(std::string_view key) {
  const auto points = code_points(key);
  if (points.empty()) return 0;
  std::uint64_t x = std::uint64_t{points.front()} << 7;
  for (std::uint32_t point : points) x = (1000003 * x) ^ point;
  return x ^ points.size();
}

// Python 3's repr of a text; a marked one has a u in front and only ASCII inside.
std::string repr_text(const PyText& text) {
  const bool has_single = text.text.find('\'') != std::string::npos;
  const bool has_double = text.text.find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out;
  for (std::uint32_t c : code_points(text.text)) {
    if (c == '\n') out += "\\n";
    else if (c == '\r') out += "\\r";
    else if (c == '\t') out += "\\t";
    else if (c == '\\') out += "\\\\";
    else if (c == static_cast<unsigned char>(quote)) { out += '\\'; out += quote; }
    else if (c < 0x20 || c == 0x7F) out += fmt::format("\\x{:02x}", c);
    else if (c < 0x7F) out += static_cast<char>(c);
    else if (text.marked && c < 0x100) out += fmt::format("\\x{:02x}", c);
    else if (text.marked && c < 0x10000) out += fmt::format("\\u{:04x}", c);
    else if (text.marked) out += fmt::format("\\U{:08x}", c);
    else {  // printable beyond ASCII is printed as it is
      if (c < 0x800) { out += static_cast<char>(0xC0 | c >> 6); }
      else if (c < 0x10000) { out += static_cast<char>(0xE0 | c >> 12); out += static_cast<char>(0x80 | (c >> 6 & 0x3F)); }
      else { out += static_cast<char>(0xF0 | c >> 18); out += static_cast<char>(0x80 | (c >> 12 & 0x3F)); out += static_cast<char>(0x80 | (c >> 6 & 0x3F)); }
      out += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return fmt::format("{}{}{}{}", text.marked ? "u" : "", quote, out, quote);
}

std::string repr_scalar(const json::value& value) {
  if (value.is_null()) return "None";
  if (value.is_bool()) return value.as_bool() ? "True" : "False";
  if (value.is_int64()) return std::to_string(value.as_int64());
  if (value.is_uint64()) return std::to_string(value.as_uint64());
  const double number = value.as_double();
  if (std::floor(number) == number && std::abs(number) < 1e16) return fmt::format("{:.1f}", number);
  return fmt::format("{}", number);
}

}  // namespace

std::uint64_t PyKeys::index_of(const std::string& key) const {
  const std::uint64_t hash = hash_of(key);
  std::uint64_t i = hash & mask_;
  auto at = slots_.find(i);
  const auto same = [&](auto it) { return !it->second.dummy && it->second.key == key; };
  if (at == slots_.end() || same(at)) return i;
  std::optional<std::uint64_t> free;
  if (at->second.dummy) free = i;
  std::uint64_t walker = i, perturb = hash;
  for (;;) {
    walker = (walker << 2) + walker + perturb + 1;
    i = walker & mask_;
    at = slots_.find(i);
    if (at == slots_.end()) return free.value_or(i);
    if (same(at)) return i;
    if (!free && at->second.dummy) free = i;
    perturb >>= 5;
  }
}

void PyKeys::resize(std::uint64_t request) {
  std::uint64_t size = 8;
  while (size <= request) size <<= 1;
  const auto old = std::move(slots_);
  slots_.clear();
  mask_ = size - 1;
  fill_ = size_ = 0;
  for (const auto& [index, slot] : old) {
    if (!slot.dummy) add(slot.key);
  }
}

void PyKeys::add(const std::string& key) {
  const std::uint64_t before = size_;
  const std::uint64_t i = index_of(key);
  auto it = slots_.find(i);
  if (it == slots_.end()) {
    ++size_;
    ++fill_;
    slots_.emplace(i, Slot{false, key});
  } else if (it->second.dummy) {
    ++size_;
    it->second = Slot{false, key};
  }
  if (size_ > before && fill_ * 3 >= (mask_ + 1) * 2) resize(size_ * 4);
}

void PyKeys::remove(const std::string& key) {
  auto it = slots_.find(index_of(key));
  if (it == slots_.end() || it->second.dummy) return;
  it->second = Slot{true, {}};
  --size_;
}

void PyKeys::merge(const std::vector<std::string>& others) {
  if (others.empty()) return;
  if ((fill_ + others.size()) * 3 >= (mask_ + 1) * 2) resize((size_ + others.size()) * 2);
  for (const std::string& key : others) add(key);
}

std::vector<std::string> PyKeys::list() const {
  std::vector<std::string> out;
  for (const auto& [index, slot] : slots_) {
    if (!slot.dummy) out.push_back(slot.key);
  }
  return out;
}

PyKeys PyKeys::deep_copy() const {
  PyKeys out;
  for (const std::string& key : list()) out.add(key);
  return out;
}

PyDict::PyDict(bool ordered) : ordered_(ordered) {}
PyDict::PyDict(const PyDict&) = default;
PyDict::PyDict(PyDict&&) noexcept = default;
PyDict& PyDict::operator=(const PyDict&) = default;
PyDict& PyDict::operator=(PyDict&&) noexcept = default;
PyDict::~PyDict() = default;

Py* PyDict::find(std::string_view key) { return const_cast<Py*>(std::as_const(*this).find(key)); }
const Py* PyDict::find(std::string_view key) const {
  for (const Item& item : items_) {
    if (item.key.text == key) return &values_[item.value];
  }
  return nullptr;
}

Py& PyDict::set(PyText key, Py value) {
  if (Py* old = find(key.text)) {
    *old = std::move(value);
    return *old;
  }
  order_.add(key.text);
  items_.push_back({std::move(key), values_.size()});
  values_.push_back(std::move(value));
  return values_.back();
}

void PyDict::erase(std::string_view key) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].key.text != key) continue;
    order_.remove(items_[i].key.text);
    values_[items_[i].value] = Py();
    items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

std::vector<std::string> PyDict::keys() const {
  if (!ordered_) return order_.list();
  std::vector<std::string> out;
  for (const Item& item : items_) out.push_back(item.key.text);
  return out;
}

Py Py::scalar(json::value value) {
  Py out;
  out.value_ = std::move(value);
  return out;
}

Py Py::from_json(const json::value& value, bool marked) {
  if (value.is_string()) return Py(PyText{std::string(value.as_string()), marked});
  if (value.is_array()) {
    List out;
    for (const auto& item : value.as_array()) out.push_back(from_json(item, marked));
    return Py(std::move(out));
  }
  if (value.is_object()) {
    PyDict out(!marked);
    for (const auto& [key, item] : value.as_object()) out.set(PyText{std::string(key), marked}, from_json(item, marked));
    return Py(std::move(out));
  }
  return scalar(value);
}

bool Py::truthy() const {
  if (const auto* t = std::get_if<PyText>(&value_)) return !t->text.empty();
  if (const auto* d = std::get_if<PyDict>(&value_)) return !d->empty();
  if (const auto* l = std::get_if<List>(&value_)) return !l->empty();
  const auto& v = std::get<json::value>(value_);
  return !(v.is_null() || (v.is_bool() && !v.as_bool()) || (v.is_int64() && v.as_int64() == 0));
}

Py Py::deep_copy() const {
  if (const auto* d = std::get_if<PyDict>(&value_)) {
    PyDict out(d->ordered_);
    out.order_ = d->order_.deep_copy();
    for (const auto& item : d->items_) {
      out.items_.push_back({item.key, out.values_.size()});
      out.values_.push_back(d->values_[item.value].deep_copy());
    }
    return Py(std::move(out));
  }
  if (const auto* l = std::get_if<List>(&value_)) {
    List out;
    for (const Py& item : *l) out.push_back(item.deep_copy());
    return Py(std::move(out));
  }
  return *this;
}

json::value Py::to_json() const {
  if (const auto* t = std::get_if<PyText>(&value_)) return json::string(t->text);
  if (const auto* l = std::get_if<List>(&value_)) {
    json::array out;
    for (const Py& item : *l) out.push_back(item.to_json());
    return out;
  }
  if (const auto* d = std::get_if<PyDict>(&value_)) {
    json::object out;
    for (const auto& item : d->items_) out.emplace(item.key.text, d->values_[item.value].to_json());
    return out;
  }
  return std::get<json::value>(value_);
}

std::string Py::repr() const {
  if (const auto* t = std::get_if<PyText>(&value_)) return repr_text(*t);
  std::string out;
  if (const auto* l = std::get_if<List>(&value_)) {
    for (const Py& item : *l) out += (out.empty() ? "" : ", ") + item.repr();
    return "[" + out + "]";
  }
  if (const auto* d = std::get_if<PyDict>(&value_)) {
    for (const std::string& key : d->keys()) {
      const auto item = std::find_if(d->items_.begin(), d->items_.end(), [&](const auto& i) { return i.key.text == key; });
      out += (out.empty() ? "" : ", ") + repr_text(item->key) + ": " + d->values_[item->value].repr();
    }
    return "{" + out + "}";
  }
  return repr_scalar(std::get<json::value>(value_));
}

}  // namespace parvis::templates::sam
