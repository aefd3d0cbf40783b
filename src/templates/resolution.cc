#include "templates/resolution.h"

#include <algorithm>
#include <charconv>

#include <boost/asio/ip/address_v6.hpp>
#include <fmt/format.h>

#include "core/hash.h"

namespace parvis::templates {

std::vector<std::string> sub_variables(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 2)) {
    const auto end = text.find('}', at);
    if (end == std::string_view::npos) break;
    if (at + 2 < end && text[at + 2] != '!') out.emplace_back(text.substr(at + 2, end - at - 2));
  }
  return out;
}

void Resolution::fail(const std::string& at, std::string what, std::string hint) const { throw Failed{evaluator_.document_->error(at, std::move(what), std::move(hint))}; }

std::optional<json::value> Resolution::value(const json::value& value, const std::string& at) {
  if (value.is_array()) {
    json::array out;
    for (std::size_t i = 0; i < value.as_array().size(); ++i) {
      if (auto item = this->value(value.as_array()[i], child(at, i))) out.push_back(std::move(*item));
    }
    return out;
  }
  if (!value.is_object()) return value;
  const json::object& object = value.as_object();
  if (object.size() == 1) {
    const std::string_view key = object.begin()->key();
    const std::string inner = child(at, key);
    if (key == "Ref") return ref(object.begin()->value(), inner);
    if (key.starts_with("Fn::")) return call(key, object.begin()->value(), inner);
  }
  json::object out;
  for (const auto& [key, item] : object) {
    if (auto resolved = this->value(item, child(at, std::string_view(key)))) out.emplace(key, std::move(*resolved));
  }
  return out;
}

std::optional<json::value> Resolution::call(std::string_view function, const json::value& argument, const std::string& at) {
  if (function == "Fn::If") {
    const json::array parts = raw_list(argument, at, 3, 3);
    const std::size_t branch = condition(scalar_text(parts[0]), at) ? 1 : 2;
    return value(parts[branch], child(at, branch));
  }
  if (function == "Fn::GetAtt") return get_att(argument, at);
  if (function == "Fn::Sub") return sub(argument, at);
  if (function == "Fn::Select") return select(argument, at);
  if (function == "Fn::FindInMap") return find_in_map(argument, at);
  if (function == "Fn::Cidr") return cidr(argument, at);
  if (function == "Fn::Join") {
    const json::array parts = raw_list(argument, at, 2, 2);
    const std::string separator = text(parts[0], child(at, 0));
    const json::array items = list(parts[1], child(at, 1), 0, 10'000);
    std::string out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].is_object() || items[i].is_array() || items[i].is_null()) fail(at, "Fn::Join joins text only", "its second value is a list of texts");
      out += (i == 0 ? "" : separator) + scalar_text(items[i]);
    }
    return json::string(limited(std::move(out), at));
  }
  if (function == "Fn::Split") {
    const json::array parts = raw_list(argument, at, 2, 2);
    const std::string separator = text(parts[0], child(at, 0)), source = text(parts[1], child(at, 1));
    if (separator.empty()) fail(at, "Fn::Split has an empty delimiter", "name one");
    json::array out;
    std::size_t begin = 0;
    for (std::size_t end; (end = source.find(separator, begin)) != std::string::npos; begin = end + separator.size()) out.push_back(json::string(source.substr(begin, end - begin)));
    out.push_back(json::string(source.substr(begin)));
    return out;
  }
  if (function == "Fn::Base64") return json::string(limited(base64_encode(text(argument, at)), at));
  if (function == "Fn::GetAZs") {
    std::string region = text(argument, at);
    if (region.empty()) region = evaluator_.environment_.region;
    return json::array{json::string(region + "a"), json::string(region + "b"), json::string(region + "c")};
  }
  if (function == "Fn::ImportValue") {
    const std::string name = text(argument, at);
    const auto found = lookups_.import ? lookups_.import(name) : std::nullopt;
    if (!found) fail(at, fmt::format("no export named '{}' found", name), "deploy the stack that exports it first");
    return json::string(*found);
  }
  if (function == "Fn::Length" || function == "Fn::ToJsonString") {
    if (!evaluator_.extensions_) fail(at, fmt::format("{} needs the transform AWS::LanguageExtensions", function), "add Transform: AWS::LanguageExtensions");
    const json::value resolved = need(argument, at);
    if (function == "Fn::ToJsonString") return json::string(limited(json::serialize(resolved), at));
    if (!resolved.is_array()) fail(at, "Fn::Length counts a list only", "give it a list");
    return json::value(resolved.as_array().size());
  }
  if (function == "Fn::Equals" || function == "Fn::And" || function == "Fn::Or" || function == "Fn::Not") {
    fail(at, fmt::format("{} stands outside Conditions", function), "write it under Conditions and use Fn::If");
  }
  fail(at, fmt::format("the function {} is not supported", function), "check its spelling");
}

std::optional<json::value> Resolution::ref(const json::value& argument, const std::string& at) {
  if (!argument.is_string()) fail(at, "Ref names something that is not text", "name a parameter or a resource");
  const std::string name(argument.as_string());
  const Environment& env = evaluator_.environment_;
  if (name == "AWS::NoValue") return std::nullopt;
  if (probing_ && env.unknown.contains(name)) throw Unknown{};
  if (name == "AWS::Region") return json::string(env.region);
  if (name == "AWS::AccountId") return json::string(env.account);
  if (name == "AWS::StackName") return json::string(env.stack_name);
  if (name == "AWS::StackId") return json::string(env.stack_id);
  if (name == "AWS::Partition") return json::string(env.partition);
  if (name == "AWS::URLSuffix") return json::string(env.url_suffix);
  if (name == "AWS::NotificationARNs") {
    json::array out;
    for (const auto& arn : env.notification_arns) out.push_back(json::string(arn));
    return out;
  }
  if (const json::value* parameter = evaluator_.parameters_.if_contains(name)) return *parameter;
  const auto found = lookups_.ref ? lookups_.ref(name) : std::nullopt;
  if (!found) fail(at, fmt::format("Ref: '{}' is neither a parameter nor a resource that exists", name), "check its spelling");
  return *found;
}

json::value Resolution::get_att(const json::value& argument, const std::string& at) {
  std::string id, attribute;
  if (argument.is_string()) {
    const std::string both(argument.as_string());
    const auto dot = both.find('.');
    id = both.substr(0, dot);
    attribute = dot == std::string::npos ? "" : both.substr(dot + 1);
  } else {
    const json::array parts = raw_list(argument, at, 2, 2);
    id = scalar_text(parts[0]);
    attribute = text(parts[1], child(at, 1));
  }
  const auto found = lookups_.get_att ? lookups_.get_att(id, attribute) : std::nullopt;
  if (!found) fail(at, fmt::format("resource {} has no attribute '{}'", id, attribute), "see the return values of its type");
  return *found;
}

json::value Resolution::sub(const json::value& argument, const std::string& at) {
  std::string source;
  json::object variables;
  if (argument.is_string()) {
    source = argument.as_string();
  } else {
    const json::array parts = raw_list(argument, at, 2, 2);
    if (!parts[0].is_string() || !parts[1].is_object()) fail(at, "Fn::Sub is neither text nor [text, mapping]", "write one of the two");
    source = parts[0].as_string();
    for (const auto& [key, item] : parts[1].as_object()) variables.emplace(key, json::string(text(item, child(child(at, 1), std::string_view(key)))));
  }
  std::string out;
  for (std::size_t i = 0; i < source.size();) {
    const auto end = source.compare(i, 2, "${") == 0 ? source.find('}', i) : std::string::npos;
    if (end == std::string::npos) { out += source[i++]; continue; }
    const std::string name = source.substr(i + 2, end - i - 2);
    i = end + 1;
    if (name.starts_with('!')) { out += "${" + name.substr(1) + "}"; continue; }
    if (const json::value* own = variables.if_contains(name)) { out += std::string_view(own->as_string()); continue; }
    const auto resolved = name.find('.') == std::string::npos ? ref(json::string(name), at) : std::optional(get_att(json::string(name), at));
    if (!resolved || resolved->is_object() || resolved->is_array()) fail(at, fmt::format("Fn::Sub: '${{{}}}' is not text", name), "use Fn::Join for lists");
    out += scalar_text(*resolved);
  }
  return json::string(limited(std::move(out), at));
}

json::value Resolution::select(const json::value& argument, const std::string& at) {
  const json::array parts = raw_list(argument, at, 2, 2);
  const std::string index_text = text(parts[0], child(at, 0));
  const json::array items = list(parts[1], child(at, 1), 0, 10'000);
  std::size_t index = 0;
  auto [end, error] = std::from_chars(index_text.data(), index_text.data() + index_text.size(), index);
  if (error != std::errc{} || end != index_text.data() + index_text.size()) fail(at, fmt::format("Fn::Select: '{}' is not an index", index_text), "use a number from 0");
  if (index >= items.size()) fail(at, fmt::format("Fn::Select: index {} of a list of {}", index, items.size()), "count from 0");
  return items[index];
}

json::value Resolution::find_in_map(const json::value& argument, const std::string& at) {
  const json::array parts = raw_list(argument, at, 3, evaluator_.extensions_ ? 4 : 3);
  const json::value* found = nullptr;
  std::string names[3];
  for (std::size_t i = 0; i < 3; ++i) names[i] = text(parts[i], child(at, i));
  found = evaluator_.mappings_.if_contains(names[0]);
  for (std::size_t i = 1; i < 3 && found != nullptr; ++i) found = found->is_object() ? found->as_object().if_contains(names[i]) : nullptr;
  if (found != nullptr) return *found;
  if (parts.size() == 4 && parts[3].is_object() && parts[3].as_object().contains("DefaultValue")) return need(parts[3].as_object().at("DefaultValue"), child(at, 3) + "/DefaultValue");
  fail(at, fmt::format("Mappings have no {}.{}.{}", names[0], names[1], names[2]), "check the names");
}

json::value Resolution::cidr(const json::value& argument, const std::string& at) {
  const json::array parts = list(argument, at, 2, 3);
  const std::string block = scalar_text(parts[0]);
  if (block.find(':') != std::string::npos) return cidr6(block, parts, at);
  unsigned a = 0, b = 0, c = 0, d = 0, prefix = 0;
  const std::string bits_text = parts.size() == 3 ? scalar_text(parts[2]) : "";
  if (std::sscanf(block.c_str(), "%3u.%3u.%3u.%3u/%2u", &a, &b, &c, &d, &prefix) != 5 || a > 255 || b > 255 || c > 255 || d > 255 || prefix > 32) {
    fail(at, fmt::format("Fn::Cidr: '{}' is not a block of addresses", block), "write a.b.c.d/n or x:y::/n");
  }
  const unsigned bits = bits_text.empty() ? 32 - prefix : static_cast<unsigned>(std::strtoul(bits_text.c_str(), nullptr, 10));
  const unsigned long count = std::strtoul(scalar_text(parts[1]).c_str(), nullptr, 10);
  if (bits > 32 - prefix || count < 1 || count > 256 || (32 - prefix - bits < 9 && count > (1ul << (32 - prefix - bits)))) fail(at, "Fn::Cidr: the block does not hold so many", "ask for fewer or smaller ones");
  const std::uint64_t base = (std::uint64_t{a} << 24 | b << 16 | c << 8 | d) & ~((std::uint64_t{1} << (32 - prefix)) - 1);
  json::array out;
  for (unsigned long i = 0; i < count; ++i) {
    const std::uint64_t address = base + (std::uint64_t{i} << bits);
    out.push_back(json::string(fmt::format("{}.{}.{}.{}/{}", address >> 24 & 255, address >> 16 & 255, address >> 8 & 255, address & 255, 32 - bits)));
  }
  return out;
}

json::value Resolution::cidr6(const std::string& block, const json::array& parts, const std::string& at) {
  const std::size_t slash = block.find('/');
  boost::system::error_code wrong;
  auto bytes = boost::asio::ip::make_address_v6(block.substr(0, slash), wrong).to_bytes();
  unsigned prefix = 129;
  if (slash != std::string::npos) std::from_chars(block.data() + slash + 1, block.data() + block.size(), prefix);
  if (wrong || prefix > 128) fail(at, fmt::format("Fn::Cidr: '{}' is not a block of addresses", block), "write a.b.c.d/n or x:y::/n");
  const std::string bits_text = parts.size() == 3 ? scalar_text(parts[2]) : "";
  const unsigned long bits = bits_text.empty() ? 128 - prefix : std::strtoul(bits_text.c_str(), nullptr, 10), count = std::strtoul(scalar_text(parts[1]).c_str(), nullptr, 10);
  if (bits > 128 - prefix || count < 1 || count > 256 || (128 - prefix - bits < 9 && count > (1ul << (128 - prefix - bits)))) fail(at, "Fn::Cidr: the block does not hold so many", "ask for fewer or smaller ones");
  for (unsigned bit = prefix; bit < 128; ++bit) bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] & ~(0x80u >> (bit % 8)));
  json::array out;
  for (unsigned long i = 0; i < count; ++i) {
    auto address = bytes;
    for (unsigned bit = 0; bit < 9 && bit + bits < 128; ++bit) {
      if ((i >> bit & 1u) != 0) address[15 - (bit + bits) / 8] = static_cast<unsigned char>(address[15 - (bit + bits) / 8] | 1u << ((bit + bits) % 8));
    }
    out.push_back(json::string(fmt::format("{}/{}", boost::asio::ip::make_address_v6(address).to_string(), 128 - bits)));
  }
  return out;
}

bool Resolution::condition(const std::string& name, const std::string& at) {
  if (auto it = evaluator_.conditions_.find(name); it != evaluator_.conditions_.end()) return it->second;
  const json::value* section = evaluator_.document_->root.as_object().if_contains("Conditions");
  const json::value* definition = section != nullptr && section->is_object() ? section->as_object().if_contains(name) : nullptr;
  if (definition == nullptr) fail(at, fmt::format("the condition '{}' does not exist", name), "add it under Conditions");
  if (std::find(open_.begin(), open_.end(), name) != open_.end()) fail(child("/Conditions", name), fmt::format("the condition '{}' needs itself", name), "break the circle");
  open_.push_back(name);
  const bool out = test(*definition, child("/Conditions", name));
  open_.pop_back();
  return evaluator_.conditions_[name] = out;
}

bool Resolution::test(const json::value& value, const std::string& at) {
  if (value.is_object() && value.as_object().size() == 1) {
    const std::string_view function = value.as_object().begin()->key();
    const json::value& argument = value.as_object().begin()->value();
    const std::string inner = child(at, function);
    if (function == "Condition") return condition(scalar_text(argument), inner);
    if (function == "Fn::Equals") {
      const json::array parts = list(argument, inner, 2, 2);
      return scalar_text(parts[0]) == scalar_text(parts[1]) && (!scalar_text(parts[0]).empty() || parts[0] == parts[1] || (parts[0].is_string() && parts[1].is_string()));
    }
    if (function == "Fn::Not") return !test(raw_list(argument, inner, 1, 1)[0], child(inner, 0));
    if (function == "Fn::And" || function == "Fn::Or") {
      const json::array parts = raw_list(argument, inner, 2, 10);
      const bool stop = function == "Fn::Or";
      bool out = !stop;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (test(parts[i], child(inner, i)) == stop) out = stop;
      }
      return out;
    }
    if (const auto decided = test_of_rules(function, argument, inner)) return *decided;
  }
  fail(at, "a condition is not one of Fn::Equals, Fn::And, Fn::Or, Fn::Not, Condition", "use one of them");
}

std::optional<bool> Resolution::test_of_rules(std::string_view function, const json::value& argument, const std::string& at) {
  if (function != "Fn::Contains" && function != "Fn::EachMemberEquals" && function != "Fn::EachMemberIn") return std::nullopt;
  const json::array parts = raw_list(argument, at, 2, 2);
  const json::array members = list(parts[0], child(at, 0), 0, 10'000);
  const auto among = [](const json::array& all, const json::value& one) {
    return std::any_of(all.begin(), all.end(), [&](const json::value& other) { return scalar_text(other) == scalar_text(one); });
  };
  if (function == "Fn::Contains") return among(members, json::string(text(parts[1], child(at, 1))));
  const json::array wanted = function == "Fn::EachMemberIn" ? list(parts[1], child(at, 1), 0, 10'000) : json::array{json::string(text(parts[1], child(at, 1)))};
  return std::all_of(members.begin(), members.end(), [&](const json::value& one) { return among(wanted, one); });
}

json::value Resolution::need(const json::value& value, const std::string& at) {
  auto out = this->value(value, at);
  if (!out) fail(at, "AWS::NoValue stands where a value is needed", "use it for whole properties only");
  return *out;
}
json::array Resolution::raw_list(const json::value& value, const std::string& at, std::size_t size_min, std::size_t size_max) const {
  if (!value.is_array()) fail(at, "the function needs a list", "write it as a list");
  if (value.as_array().size() < size_min || value.as_array().size() > size_max) {
    fail(at, fmt::format("the function needs {} values, not {}", size_min == size_max ? std::to_string(size_min) : fmt::format("{} to {}", size_min, size_max), value.as_array().size()), "see its documentation");
  }
  return value.as_array();
}
json::array Resolution::list(const json::value& value, const std::string& at, std::size_t size_min, std::size_t size_max) { return raw_list(need(value, at), at, size_min, size_max); }
std::string Resolution::text(const json::value& value, const std::string& at) {
  const json::value out = need(value, at);
  if (out.is_object() || out.is_array() || out.is_null()) fail(at, "the function needs text here", "check the value");
  return scalar_text(out);
}
std::string Resolution::limited(std::string text, const std::string& at) const {
  if (text.size() > kResolvedBytesMax) fail(at, fmt::format("the value grows beyond {} bytes", kResolvedBytesMax), "make it smaller");
  return text;
}

}  // namespace parvis::templates
