#include "cli/events.h"

#include <charconv>
#include <cstdio>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include "aws/proxy_event.h"
#include "core/hash.h"
#include "core/time_format.h"
#include "http/message.h"

namespace parvis::cli {
namespace {

namespace json = boost::json;
using Values = std::map<std::string, std::string>;

const json::object& table() {
  static const json::value parsed = json::parse(std::string(kEventsJson));
  return parsed.get_object();
}

std::vector<std::string> names_of(const json::object& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object) names.emplace_back(name);
  return names;
}

// What the Cognito triggers have in common. Source: Amazon Cognito Developer Guide, "Customizing user pool workflows with Lambda triggers".
json::object of_trigger(const json::object& sample) {
  json::object request = sample.at("request").as_object();
  if (!sample.at("trigger").as_string().starts_with("UserMigration"))
    request["userAttributes"] = {{"sub", "${sub}"}, {"email", "${email}"}, {"email_verified", "true"}, {"cognito:user_status", "CONFIRMED"}};
  json::object event{{"version", sample.contains("version") ? sample.at("version") : "1"}, {"triggerSource", sample.at("trigger")}, {"region", "${region}"}, {"userPoolId", "${user-pool}"},
                     {"userName", "${username}"}, {"callerContext", {{"awsSdkVersion", "aws-sdk-unknown-unknown"}, {"clientId", "${client-id}"}}}, {"request", std::move(request)}, {"response", sample.at("response")}};
  return {{"about", sample.at("about")}, {"event", std::move(event)},
          {"options", {{"user-pool", "us-east-1_Example01"}, {"client-id", "1example23456789"}, {"username", "ada"}, {"email", "ada@example.com"}, {"sub", "192879fc-a240-4bf1-ab5a-d6a00f3063f9"}}}};
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw EventError("zlib cannot start");
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (ended != Z_STREAM_END) throw EventError("zlib cannot compress the event");
  return out;
}

json::value parse_option(const std::string& name, const std::string& text) {
  boost::system::error_code wrong;
  json::value value = json::parse(text, wrong);
  if (wrong) throw EventError(fmt::format("--{}={}: write it as JSON ({})", name, text, wrong.message()));
  return value;
}

// One sample with its values.
class Filler {
 public:
  Filler(const json::object& sample, Values values, const Clock& clock, Entropy& entropy) : sample_(sample), values_(std::move(values)), clock_(clock), entropy_(entropy) {}

  json::value fill(const json::value& from) {
    if (const auto* text = from.if_string()) return fill_text(std::string_view(*text));
    if (const auto* array = from.if_array()) {
      json::array out;
      for (const auto& element : *array) out.push_back(fill(element));
      return out;
    }
    const auto* object = from.if_object();
    if (!object) return from;
    json::object out;
    for (const auto& [name, value] : *object) out[plain(name)] = fill(value);
    return out;
  }

 private:
  // A text that is one placeholder may become any value.
  json::value fill_text(std::string_view text) {
    if (!text.starts_with("${") || text.find('}') != text.size() - 1) return json::string(plain(text));
    std::string_view inner = text.substr(2, text.size() - 3);
    if (inner.starts_with('#')) return number(std::string(inner.substr(1)));
    const auto colon = inner.find(':');
    const std::string filter(colon == std::string_view::npos ? "" : inner.substr(0, colon)), name(inner.substr(colon == std::string_view::npos ? 0 : colon + 1));
    if (filter == "json") return parse_option(name, value_of(name));
    if (filter == "query" || filter == "queries") return query(value_of(name), filter == "queries");
    return json::string(shaped(filter, name));
  }

  std::string plain(std::string_view text) {
    std::string out;
    for (auto at = text.find("${"); at != std::string_view::npos; at = text.find("${")) {
      const auto end = text.find('}', at);
      out += text.substr(0, at);
      out += shaped("", std::string(text.substr(at + 2, end - at - 2)));
      text.remove_prefix(end + 1);
    }
    return out += text;
  }

  std::string shaped(const std::string& filter, const std::string& name) {
    if (filter == "gzip") return base64_encode(gzip(json::serialize(fill(sample_.at(name)))));
    const std::string value = value_of(name);
    if (filter.empty()) return value;
    if (filter == "base64") return base64_encode(value);
    if (filter == "md5") return hex_encode(md5(value));
    if (filter == "length") return std::to_string(value.size());
    std::string encoded = http::percent_encode(value, true);  // url: as S3 writes keys
    for (auto at = encoded.find("%20"); at != std::string::npos; at = encoded.find("%20", at)) encoded.replace(at, 3, "+");
    return encoded;
  }

  std::string value_of(const std::string& name) {
    if (const auto given = values_.find(name); given != values_.end()) return given->second;
    const Millis now = clock_.wall();
    if (name == "uuid") return entropy_.uuid();
    if (name == "trace") return fmt::format("1-{:08x}-{}", now.time_since_epoch().count() / 1000, entropy_.token(24, "0123456789abcdef"));
    if (name == "ms") return std::to_string(now.time_since_epoch().count());
    if (name == "s") return std::to_string(now.time_since_epoch().count() / 1000);
    if (name == "iso") return format_iso8601(now);
    if (name == "iso-s") return format_iso8601_seconds(now);
    if (name == "clf") return aws::format_clf_time(now);
    throw EventError("no value for " + name);
  }

  json::value number(const std::string& name) {
    const std::string text = value_of(name);
    std::int64_t value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (wrong != std::errc{} || end != text.data() + text.size()) throw EventError(fmt::format("--{}={}: write a whole number", name, text));
    return value;
  }

  static json::value query(const std::string& text, bool lists) {
    json::object out;
    for (const auto& [name, value] : http::parse_query(text)) {
      if (!lists) out[name] = value;
      else if (auto* list = out.contains(name) ? &out[name].as_array() : nullptr) list->emplace_back(value);
      else out[name] = json::array{json::string(value)};
    }
    return out.empty() ? json::value(nullptr) : json::value(std::move(out));
  }

  const json::object& sample_;
  const Values values_;
  const Clock& clock_;
  Entropy& entropy_;
};

json::object sample_of(const std::string& source, std::string kind) {
  const auto* kinds = table().if_contains(source);
  if (!kinds) throw EventError(fmt::format("there is no event source {}; there are {}", source, fmt::join(names_of(table()), ", ")));
  const json::object& all = kinds->get_object();
  if (kind.empty()) kind = all.begin()->key();
  const auto* found = all.if_contains(kind);
  if (!found) throw EventError(fmt::format("{} has no event {}; it has {}", source, kind, fmt::join(names_of(all), ", ")));
  return found->get_object().contains("trigger") ? of_trigger(found->get_object()) : found->get_object();
}

void print_all() {
  for (const auto& [source, kinds] : table())
    for (const auto& [kind, sample] : kinds.get_object())
      fmt::print("{:<16}{:<24}{}\n", std::string_view(source), std::string_view(kind), std::string_view(sample.at("about").as_string()));
  fmt::print("\nparvis event SOURCE [KIND] --NAME=VALUE… prints one; an unknown --NAME lists those that there are. Without KIND: the source's first one.\n");
}

Values read_options(const std::vector<std::string>& given) {
  Values out;
  for (const std::string& text : given) {
    const auto equals = text.find('=');
    if (!text.starts_with("--") || equals == std::string::npos) throw EventError(fmt::format("{}: write options as --name=value", text));
    out[text.substr(2, equals - 2)] = text.substr(equals + 1);
  }
  return out;
}

}  // namespace

json::value make_event(const std::string& source, const std::string& kind, const Values& options, const Clock& clock, Entropy& entropy) {
  const json::object sample = sample_of(source, kind);
  Values values{{"region", "us-east-1"}};
  for (const auto& [name, value] : sample.at("options").as_object()) values[name] = std::string(value.as_string());
  for (const auto& [name, value] : options) {
    if (!values.contains(name)) {
      std::vector<std::string> known;
      for (const auto& [option, preset] : values) known.push_back(fmt::format("--{}={}", option, preset));
      throw EventError(fmt::format("this event has no --{}; it has\n  {}", name, fmt::join(known, "\n  ")));
    }
    values[name] = value;
  }
  return Filler(sample, std::move(values), clock, entropy).fill(sample.at("event"));
}

int run_event(const EventArguments& arguments) {
  if (arguments.source.empty()) return print_all(), 0;
  try {
    const Clock clock;
    Entropy entropy;
    const json::value event = make_event(arguments.source, arguments.kind, read_options(arguments.options), clock, entropy);
    fmt::print("{}\n", json::serialize(event));
    return 0;
  } catch (const EventError& error) {
    std::fprintf(stderr, "parvis: %s\n", error.what());
    return 2;
  }
}

}  // namespace parvis::cli
