#include "services/lambda/layer.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"
#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

boost::json::array to_array(const std::vector<std::string>& list) {
  boost::json::array out;
  for (const std::string& text : list) out.emplace_back(text);
  return out;
}

std::vector<std::string> to_list(const boost::json::value& array) {
  std::vector<std::string> out;
  for (const auto& text : array.as_array()) out.emplace_back(text.as_string());
  return out;
}

bool is_layer_name(std::string_view text) {
  return !text.empty() && text.size() <= 140 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

std::string version_key(const aws::Scope& scope, std::string_view name, std::int64_t number) {
  return layer_version_key(scope.account, scope.region, name, fmt::format("{:0>19}", number));
}

}  // namespace

std::string LayerVersion::layer_arn() const { return fmt::format("arn:aws:lambda:{}:{}:layer:{}", scope.region, scope.account, name); }
std::string LayerVersion::arn() const { return fmt::format("{}:{}", layer_arn(), number); }

std::string to_json(const LayerVersion& v) {
  return boost::json::serialize(boost::json::object{{"format", 1}, {"account", v.scope.account}, {"region", v.scope.region}, {"name", v.name},
      {"number", v.number}, {"description", v.description}, {"license", v.license}, {"runtimes", to_array(v.runtimes)},
      {"architectures", to_array(v.architectures)}, {"code", to_object(v.code)}, {"created", v.created.time_since_epoch().count()},
      {"deleted", v.deleted}, {"policy", to_json(v.policy)}, {"token", v.token}});
}

std::optional<LayerVersion> parse_layer_version(std::string_view json) try {
  const boost::json::value value = boost::json::parse(json);
  const boost::json::object& o = value.as_object();
  const auto text = [&](std::string_view key) { return std::string(o.at(key).as_string()); };
  if (o.at("format").as_int64() != 1) return std::nullopt;
  LayerVersion v;
  v.scope = {text("account"), text("region")};
  v.name = text("name");
  v.number = o.at("number").as_int64();
  v.description = text("description");
  v.license = text("license");
  v.runtimes = to_list(o.at("runtimes"));
  v.architectures = to_list(o.at("architectures"));
  v.code = to_code(o.at("code").as_object());
  v.created = Millis{std::chrono::milliseconds{o.at("created").as_int64()}};
  v.deleted = o.at("deleted").as_bool();
  v.policy = parse_policy(text("policy")).value();
  v.token = text("token");
  return v;
} catch (const std::exception&) {
  return std::nullopt;
}

std::optional<LayerRef> parse_layer_ref(const aws::Scope& caller, std::string_view text) {
  LayerRef ref{caller, std::string(text), 0};
  if (text.starts_with("arn:")) {  // arn:aws:lambda:region:account:layer:name[:number]
    std::vector<std::string_view> parts;
    for (std::string_view rest = text;;) {
      const std::size_t colon = rest.find(':');
      parts.push_back(rest.substr(0, colon));
      if (colon == std::string_view::npos) break;
      rest.remove_prefix(colon + 1);
    }
    if (parts.size() < 7 || parts.size() > 8 || parts[2] != "lambda" || parts[5] != "layer") return std::nullopt;
    ref.scope = {std::string(parts[4]), std::string(parts[3])};
    ref.name = parts[6];
    if (parts.size() == 8) {
      const auto [end, failed] = std::from_chars(parts[7].data(), parts[7].data() + parts[7].size(), ref.number);
      if (failed != std::errc{} || end != parts[7].data() + parts[7].size() || ref.number < 1) return std::nullopt;
    }
  }
  if (!is_layer_name(ref.name)) return std::nullopt;
  return ref;
}

std::string LayerStore::key_of(const LayerRef& ref) { return version_key(ref.scope, ref.name, ref.number); }

awaitable<LayerVersion> LayerStore::publish(LayerVersion version, storage::Commit with) {
  const std::string head = layer_key(version.scope.account, version.scope.region, version.name);
  for (int attempt = 0; attempt < kModifyAttemptsMax; ++attempt) {
    const auto value = co_await functions_.store().snapshot()->get(head);
    version.number = 1;
    if (value) version.number = boost::json::parse(value->bytes).at("next").as_int64();
    storage::Commit commit = with;
    commit.check(head, value ? std::optional(value->version) : std::nullopt);
    commit.put(head, boost::json::serialize(boost::json::object{{"format", 1}, {"next", version.number + 1}}));
    commit.put(version_key(version.scope, version.name, version.number), to_json(version));
    if (co_await functions_.commit(std::move(commit))) co_return version;
  }
  throw error(kResourceConflict, "The operation cannot be performed at this time. An update is in progress for resource: " + version.layer_arn());
}

awaitable<std::optional<StoredLayerVersion>> LayerStore::find(LayerRef ref) {
  const std::string key = version_key(ref.scope, ref.name, ref.number);
  const auto value = co_await functions_.store().snapshot()->get(key);
  if (!value) co_return std::nullopt;
  std::optional<LayerVersion> version = parse_layer_version(value->bytes);
  if (!version) throw error(kService, "The layer version could not be read.");
  co_return StoredLayerVersion{std::move(*version), value->version};
}

awaitable<bool> LayerStore::write(LayerVersion version, storage::Version expected, storage::Commit with) {
  const std::string key = version_key(version.scope, version.name, version.number);
  with.check(key, expected).put(key, to_json(version));
  co_return co_await functions_.commit(std::move(with));
}

awaitable<bool> LayerStore::erase(LayerVersion version, storage::Version expected, storage::Commit with) {
  const std::string key = version_key(version.scope, version.name, version.number);
  with.check(key, expected).erase(key);
  co_return co_await functions_.commit(std::move(with));
}

awaitable<LayerStore::Names> LayerStore::names(aws::Scope scope, std::string after, std::size_t limit) {
  const std::string prefix = layer_prefix(scope.account, scope.region);
  storage::ScanOptions range{.begin = prefix, .end = storage::prefix_end(prefix), .limit = limit};
  if (!after.empty()) range.begin = layer_key(scope.account, scope.region, after) + '\0';
  const storage::ScanPage page = co_await functions_.store().snapshot()->scan(range);
  Names out{{}, page.more};
  for (const storage::Entry& entry : page.entries) {
    out.names.push_back(storage::TupleReader(std::string_view(entry.key).substr(prefix.size())).string().value_or(""));
  }
  co_return out;
}

awaitable<std::vector<StoredLayerVersion>> LayerStore::versions(aws::Scope scope, std::string name, std::int64_t below, bool deleted) {
  const std::string prefix = layer_versions_prefix(scope.account, scope.region, name);
  storage::ScanOptions range{.begin = prefix, .end = below ? version_key(scope, name, below) : storage::prefix_end(prefix)};
  std::vector<StoredLayerVersion> out;
  for (bool more = true; more;) {
    const storage::ScanPage page = co_await functions_.store().snapshot()->scan(range);
    for (const storage::Entry& entry : page.entries) {
      std::optional<LayerVersion> version = parse_layer_version(entry.value);
      if (version && version->deleted == deleted) out.push_back({std::move(*version), entry.version});
    }
    more = page.more;
    if (more) range.begin = page.entries.back().key + '\0';
  }
  std::ranges::reverse(out);
  co_return out;
}

}  // namespace parvis::lambda
