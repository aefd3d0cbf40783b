// templates/sam/py27.h: values as the SAM translator prints them when it hashes an API's definition.
//
// The logical id of a REST API's deployment is a digest of the definition's text as Python 2.7 would have printed it: dictionaries
// in the order of that interpreter's hash table, texts of the template as u'…'. So each dictionary here remembers its table
// exactly (slots, growth and, on deep copies, rebuilding), and each text whether it came from the template.
// Source: aws-sam-translator 1.115.0, utils/py27hash_fix.py.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json.hpp>

namespace parvis::templates::sam {

namespace json = boost::json;

// The order of keys in a dictionary of Python 2.7.
class PyKeys {
 public:
  void add(const std::string& key);
  void remove(const std::string& key);
  void merge(const std::vector<std::string>& others);
  std::vector<std::string> list() const;
  PyKeys deep_copy() const;  // adds the keys to an empty table, in order

 private:
  struct Slot {
    bool dummy = false;
    std::string key;
  };
  std::uint64_t index_of(const std::string& key) const;
  void resize(std::uint64_t request);
  std::map<std::uint64_t, Slot> slots_;
  std::uint64_t size_ = 0, fill_ = 0, mask_ = 7;
};

class Py;
struct PyText {
  std::string text;
  bool marked = false;  // printed with u''
};

// A dictionary. `ordered` ones keep the order of insertion, the others that of PyKeys.
class PyDict {
 public:
  explicit PyDict(bool ordered = false);
  PyDict(const PyDict&);
  PyDict(PyDict&&) noexcept;
  PyDict& operator=(const PyDict&);
  PyDict& operator=(PyDict&&) noexcept;
  ~PyDict();
  Py& set(PyText key, Py value);  // an old key keeps its marking
  Py* find(std::string_view key);
  const Py* find(std::string_view key) const;
  void erase(std::string_view key);
  std::vector<std::string> keys() const;
  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  void merge_keys(const std::vector<std::string>& keys) { order_.merge(keys); }

 private:
  friend class Py;
  struct Item {
    PyText key;
    std::size_t value;  // index in values_
  };
  bool ordered_;
  std::vector<Item> items_;
  std::vector<Py> values_;
  PyKeys order_;
};

class Py {
 public:
  using List = std::vector<Py>;
  Py() = default;  // None
  Py(PyText text) : value_(std::move(text)) {}
  Py(const char* text) : value_(PyText{text, false}) {}
  Py(std::string text) : value_(PyText{std::move(text), false}) {}
  Py(PyDict dict) : value_(std::move(dict)) {}
  Py(List list) : value_(std::move(list)) {}
  // A number, a boolean or null; for anything else see from_json.
  static Py scalar(json::value value);
  // `marked`: as values of the template are; dictionaries are then PyKeys-ordered.
  static Py from_json(const json::value& value, bool marked);

  PyDict* dict() { return std::get_if<PyDict>(&value_); }
  const PyDict* dict() const { return std::get_if<PyDict>(&value_); }
  List* list() { return std::get_if<List>(&value_); }
  const PyText* text() const { return std::get_if<PyText>(&value_); }
  bool truthy() const;
  Py* find(std::string_view key) { return dict() ? dict()->find(key) : nullptr; }
  const Py* find(std::string_view key) const { return dict() ? dict()->find(key) : nullptr; }

  Py deep_copy() const;
  json::value to_json() const;
  std::string repr() const;

 private:
  std::variant<json::value, PyText, PyDict, List> value_;
};

}  // namespace parvis::templates::sam
