#include "services/lambda/invoke.h"

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>

#include "core/hash.h"
#include "core/time_format.h"
#include "services/lambda/errors.h"
#include "services/lambda/keyspace.h"

namespace parvis::lambda {
namespace {

std::optional<network::Reach> reach_of(const FunctionRecord& record) {
  const auto tag = record.tags.find(std::string(kNetworkTag));
  return tag == record.tags.end() ? std::nullopt : network::parse_reach(tag->second);
}

// Accepts every value: the parser is used for its grammar alone.
struct NullHandler {
  using sv = boost::json::string_view;
  using ec = boost::json::error_code;
  static constexpr std::size_t max_object_size = std::size_t(-1), max_array_size = std::size_t(-1), max_key_size = std::size_t(-1),
                               max_string_size = std::size_t(-1);
  bool on_document_begin(ec&) { return true; }
  bool on_document_end(ec&) { return true; }
  bool on_object_begin(ec&) { return true; }
  bool on_object_end(std::size_t, ec&) { return true; }
  bool on_array_begin(ec&) { return true; }
  bool on_array_end(std::size_t, ec&) { return true; }
  bool on_key_part(sv, std::size_t, ec&) { return true; }
  bool on_key(sv, std::size_t, ec&) { return true; }
  bool on_string_part(sv, std::size_t, ec&) { return true; }
  bool on_string(sv, std::size_t, ec&) { return true; }
  bool on_number_part(sv, ec&) { return true; }
  bool on_int64(std::int64_t, sv, ec&) { return true; }
  bool on_uint64(std::uint64_t, sv, ec&) { return true; }
  bool on_double(double, sv, ec&) { return true; }
  bool on_bool(bool, ec&) { return true; }
  bool on_null(ec&) { return true; }
  bool on_comment_part(sv, ec&) { return true; }
  bool on_comment(sv, ec&) { return true; }
};

std::string describe_bad_json(std::string_view payload, std::size_t at) {
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i < std::min(at, payload.size()); ++i) {
    if (payload[i] == '\n') { ++line; column = 1; } else { ++column; }
  }
  std::string what = "Unexpected end-of-input";
  if (at < payload.size()) {
    std::size_t begin = at, end = at;
    const auto is_word = [&](std::size_t i) { return std::isalnum(static_cast<unsigned char>(payload[i])) || payload[i] == '_'; };
    while (begin > 0 && is_word(begin - 1)) --begin;
    while (end < payload.size() && end - begin < 256 && is_word(end)) ++end;
    if (end > begin && std::isalpha(static_cast<unsigned char>(payload[begin]))) {
      what = fmt::format("Unrecognized token '{}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                         payload.substr(begin, end - begin));
    } else if (const unsigned char c = static_cast<unsigned char>(payload[at]); c < 32 || c > 126) {
      what = fmt::format("Unexpected character ((CTRL-CHAR, code {})): expected a valid value (JSON String, Number, Array, Object or "
                         "token 'null', 'true' or 'false')", c);
    } else {
      what = fmt::format("Unexpected character ('{}' (code {})): expected a valid value (JSON String, Number, Array, Object or token "
                         "'null', 'true' or 'false')", static_cast<char>(c), c);
    }
  }
  return fmt::format("Could not parse request body into json: Could not parse payload into json: {}\n at [Source: (byte[]); line: {}, "
                     "column: {}]", what, line, column);
}

std::string log_stream_name(Millis now, std::string_view version, Entropy& entropy) {
  std::string date = format_iso8601(now).substr(0, 10);
  std::ranges::replace(date, '-', '/');
  return fmt::format("{}/[{}]{}", date, version, entropy.token(32, "0123456789abcdef"));
}

}  // namespace

void check_payload(std::string_view payload, bool async) {
  const std::size_t limit = async ? kAsyncPayloadBytesMax : kPayloadBytesMax;
  if (payload.size() > limit) {
    throw error(kRequestTooLarge, fmt::format("{} byte payload is too large for the {} invocation type (limit {} bytes)",
        payload.size(), async ? "Event" : "RequestResponse", limit));
  }
  if (payload.empty()) return;
  boost::json::parse_options options;
  options.max_depth = 1000;  // Jackson's own limit
  boost::json::basic_parser<NullHandler> parser(options);
  boost::json::error_code failed;
  const std::size_t used = parser.write_some(false, payload.data(), payload.size(), failed);
  std::size_t at = used;
  if (!failed) {
    at = payload.find_first_not_of(" \t\r\n", used);
    if (parser.done() && at == std::string_view::npos) return;
    if (at == std::string_view::npos) at = payload.size();
  }
  throw error(kInvalidRequestContent, describe_bad_json(payload, at));
}

std::string log_tail_base64(std::string_view log) {
  return base64_encode(log.substr(log.size() > kLogTailBytes ? log.size() - kLogTailBytes : 0));
}

// Where runtimes look into layers. Source: Developer Guide, "Packaging your layer content" (layer paths for each runtime).
// Differs from AWS: without a sandbox the folder is not at /opt, so code that spells /opt does not find it.
void Invoker::add_layers(const FunctionRecord& record, const std::string& code_dir, const std::string& opt,
                         std::map<std::string, std::string>& env) const {
  env["PATH"] += ":" + opt + "/bin";
  env["LD_LIBRARY_PATH"] = fmt::format("{0}:{0}/lib:{1}/lib", code_dir, opt);
  const std::string_view runtime = record.runtime;
  if (runtime.starts_with("nodejs")) {
    const std::string major(runtime.substr(6, runtime.find('.') - 6));
    env["NODE_PATH"] = fmt::format("{0}/nodejs/node{1}/node_modules:{0}/nodejs/node_modules", opt, major);
    if (!options_.node_modules_dir.empty()) env["NODE_PATH"] += ":" + options_.node_modules_dir;
    env["NODE_PATH"] += ":" + code_dir;
  } else if (runtime.starts_with("python")) {
    env["PYTHONPATH"] = fmt::format("{0}/python/lib/{1}/site-packages:{0}/python", opt, runtime);
  } else if (runtime.starts_with("ruby")) {
    env["GEM_PATH"] = fmt::format("{}/ruby/gems/{}.0", opt, runtime.substr(4));
    env["RUBYLIB"] = opt + "/ruby/lib";
  } else if (runtime.starts_with("java")) {
    env["CLASSPATH"] = opt + "/java/lib/*";
  }
}

Invoker::Invoker(FunctionStore& functions, CodeStore& code, Runner& runner, const Clock& clock, Entropy& entropy, InvokeOptions options)
    : functions_(functions), code_(code), runner_(runner), clock_(clock), entropy_(entropy), options_(std::move(options)) {}

std::map<std::string, std::string> Invoker::environment(const FunctionRecord& record, const std::string& code_dir,
                                                        const std::string& layers_dir, const std::string& log_stream) const {
  std::map<std::string, std::string> env{{"LANG", "en_US.UTF-8"}, {"TZ", ":UTC"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"TMPDIR", "/tmp"}, {"AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"}};
  if (!layers_dir.empty()) add_layers(record, code_dir, layers_dir, env);
  for (const auto& [key, value] : options_.extra_environment) env[key] = value;
  for (const auto& [key, value] : record.environment) env[key] = value;
  env["AWS_LAMBDA_FUNCTION_NAME"] = record.name;
  env["AWS_LAMBDA_FUNCTION_VERSION"] = record.version;
  env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = std::to_string(record.memory_mb);
  env["AWS_LAMBDA_LOG_GROUP_NAME"] = record.log_group_name();
  env["AWS_LAMBDA_LOG_STREAM_NAME"] = log_stream;
  env["AWS_LAMBDA_LOG_FORMAT"] = record.log_format;
  if (record.log_format != "Text") env["AWS_LAMBDA_LOG_LEVEL"] = record.application_log_level;
  env["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand";
  env["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + record.runtime;
  env["AWS_REGION"] = env["AWS_DEFAULT_REGION"] = record.scope.region;
  env["LAMBDA_TASK_ROOT"] = code_dir;
  env["_HANDLER"] = record.handler;
  const WorkerCredentials credentials = options_.credentials
      ? options_.credentials(record.scope, record.role)
      : WorkerCredentials{record.scope.account, "parvis", {}};
  env["AWS_ACCESS_KEY_ID"] = credentials.access_key_id;
  env["AWS_SECRET_ACCESS_KEY"] = credentials.secret_access_key;
  if (!credentials.session_token.empty()) env["AWS_SESSION_TOKEN"] = credentials.session_token;
  // A function that sets its own endpoint means it; it is not a reserved key.
  if (!options_.endpoint_url.empty()) env.emplace("AWS_ENDPOINT_URL", options_.endpoint_url);
  return env;
}

std::shared_ptr<const Invoker::Ready> Invoker::find_ready(const std::string& arn) {
  const std::lock_guard lock(mutex_);
  const auto it = ready_.find(arn);
  return it == ready_.end() ? nullptr : it->second;
}

// The hot path reads nothing while the store has no newer commit, else only the record's version; the record is decoded when
// it is a new one.
awaitable<std::shared_ptr<const Invoker::Head>> Invoker::head(FunctionRef ref) {
  const std::string key = function_key(ref.scope.account, ref.scope.region, ref.name);
  const std::shared_ptr<storage::Snapshot> view = functions_.store().snapshot();
  std::shared_ptr<const Head> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = heads_.find(key); it != heads_.end()) known = it->second;
  }
  if (known && known->newest_at == view->stamp()) co_return known;
  auto value = co_await view->get(key);
  if (!value) throw not_found(ref);
  if (known && known->version == value->version) {
    known->newest_at = view->stamp();  // an older one than another call has stored costs one more read
    co_return known;
  }
  std::optional<FunctionRecord> record = parse_record(value->bytes);
  if (!record) throw error(kService, "The function's configuration could not be read.");
  const auto made = make_head(value->version, std::move(*record));
  const std::lock_guard lock(mutex_);
  auto& slot = heads_[key];
  if (!slot || slot->version < made->version) slot = made;  // else this call keeps what it read
  co_return made;
}

awaitable<std::shared_ptr<const Invoker::Ready>> Invoker::named(std::shared_ptr<const Head> head, FunctionRef ref) {
  std::string number = ref.qualifier;
  if (!is_latest(number) && !is_version(number)) {
    const std::optional<Part> part = co_await functions_.part(head->record, {kAliasPart, number});
    const std::optional<Alias> alias = part ? parse_alias(part->bytes) : std::nullopt;
    if (!alias) throw not_found(ref);
    number = choose_version(*alias, entropy_);
  }
  if (is_latest(number)) co_return co_await latest(std::move(head));
  if (number.size() > 10 || number.starts_with('0')) throw not_found(ref);
  const std::optional<Part> part = co_await functions_.part(head->record, {kVersionPart, number});
  if (!part) throw not_found(ref);
  const std::shared_ptr<const Ready> known = find_ready(head->record.arn() + ":" + number);
  if (known && known->function_id == head->record.id && known->spec->reach == reach_of(head->record)) co_return known;
  std::optional<FunctionRecord> version = parse_record(part->bytes);
  if (!version) throw error(kService, "The function's configuration could not be read.");
  version->tags = head->record.tags;  // a function's tags hold for all of its versions
  co_return co_await ready_version(std::move(*version));
}

awaitable<std::shared_ptr<const functions::FunctionSpec>> Invoker::make_spec(FunctionRecord record, std::string log_stream) {
  auto spec = std::make_shared<functions::FunctionSpec>();
  spec->code_dir = co_await code_.folder(record.scope, record.code);
  spec->key = fmt::format("{}:{}:{}", record.arn(), record.version, record.version == kLatest ? record.config_id : record.id);
  spec->reach = reach_of(record);
  if (spec->reach) spec->key += fmt::format(":network-{}", record.tags.at(std::string(kNetworkTag)));
  spec->name = record.name;
  spec->runtime = record.runtime;
  spec->handler = record.handler;
  spec->account = record.scope.account;
  spec->layers_dir = co_await code_.layers_folder(record.scope, record.layers);
  spec->environment = environment(record, spec->code_dir, spec->layers_dir, log_stream);
  spec->memory_mb = static_cast<unsigned>(record.memory_mb);
  spec->tmp_mb = static_cast<unsigned>(record.ephemeral_mb);
  spec->timeout = std::chrono::seconds(record.timeout_seconds);
  if (record.log_format != "Text") {
    spec->logs = {.json = true, .application = functions::parse_log_level(record.application_log_level).value_or(functions::LogLevel::kInfo),
                  .system = functions::parse_log_level(record.system_log_level).value_or(functions::LogLevel::kInfo)};
  }
  spec->concurrency_max = static_cast<unsigned>(kAccountConcurrency);  // admit() counts over all versions of a function
  co_return spec;
}

awaitable<std::shared_ptr<const Invoker::Ready>> Invoker::latest(std::shared_ptr<const Head> head) {
  const FunctionRecord& record = head->record;
  const std::string& arn = head->arn;
  const std::shared_ptr<const Ready> before = find_ready(arn);
  if (before && before->version == head->version) co_return before;
  auto made = std::make_shared<Ready>();
  if (before && before->config_id == record.config_id && before->function_id == record.id && before->spec->reach == reach_of(record)) {  // only tags or the like changed
    *made = *before;
  } else {
    made->log_stream = log_stream_name(clock_.wall(), kLatest, entropy_);
    made->spec = co_await make_spec(record, made->log_stream);
    made->function_id = record.id;
    made->config_id = record.config_id;
    made->number = kLatest;
    made->log_group = record.log_group_name();
  }
  made->version = head->version;
  std::string retired;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = ready_[arn];
    if (slot && slot->version > made->version) co_return made;  // a newer one came meanwhile; this call keeps what it read
    if (slot && slot->version == made->version) co_return slot;
    if (slot && slot->spec->key != made->spec->key) retired = slot->spec->key;
    slot = made;
  }
  if (!retired.empty()) runner_.retire(retired);
  co_return made;
}

awaitable<std::shared_ptr<const Invoker::Ready>> Invoker::ready_version(FunctionRecord version) {
  auto made = std::make_shared<Ready>();
  made->log_stream = log_stream_name(clock_.wall(), version.version, entropy_);
  made->spec = co_await make_spec(version, made->log_stream);
  made->function_id = version.id;
  made->config_id = version.config_id;
  made->number = version.version;
  made->log_group = version.log_group_name();
  std::string retired;
  unsigned keep = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto kept = kept_.find(version.arn() + ":" + version.version); kept != kept_.end()) keep = kept->second;
    auto& slot = ready_[version.arn() + ":" + version.version];
    if (slot && slot->function_id == version.id && slot->spec->key == made->spec->key) co_return slot;
    if (slot) retired = slot->spec->key;  // of a deleted function of the same name, or of one with another network
    slot = made;
  }
  if (!retired.empty()) runner_.retire(retired);
  if (keep > 0) runner_.keep(made->spec, keep);
  co_return made;
}

awaitable<> Invoker::deployed(StoredFunction function) {
  auto made = co_await latest(make_head(function.version, std::move(function.record)));
  runner_.prepare(*made->spec, options_.load_on_deploy);  // the runtime's workers boot in any case
}

awaitable<> Invoker::published(FunctionRecord version, std::map<std::string, std::string> tags) {
  version.tags = std::move(tags);
  const bool keep = version.snap_start;  // SnapStart: initialised before the first call
  auto made = co_await ready_version(std::move(version));
  runner_.prepare(*made->spec, options_.load_on_deploy || keep);
}

void Invoker::forget(const FunctionRef& ref) {
  std::vector<std::shared_ptr<const Ready>> gone;
  {
    const std::lock_guard lock(mutex_);
    const std::string arn = ref.qualified_arn();
    std::erase_if(kept_, [&](const auto& kept) { return kept.first == arn || (ref.qualifier.empty() && kept.first.starts_with(arn + ":")); });
    if (ref.qualifier.empty()) {
      heads_.erase(function_key(ref.scope.account, ref.scope.region, ref.name));
      running_.erase(arn);
    }
    for (auto it = ready_.lower_bound(arn); it != ready_.end() && it->first.starts_with(arn);) {
      const bool own = it->first == arn || (ref.qualifier.empty() && it->first[arn.size()] == ':');
      if (own) gone.push_back(it->second);
      it = own ? ready_.erase(it) : std::next(it);
    }
  }
  for (const auto& ready : gone) runner_.retire(ready->spec->key);
}

awaitable<> Invoker::keep(FunctionRecord version, unsigned count) {
  {
    const std::lock_guard lock(mutex_);
    kept_[version.arn() + ":" + version.version] = count;
    count_provisioned(version.arn() + ":" + version.version);
  }
  const auto ready = co_await ready_version(std::move(version));
  runner_.keep(ready->spec, count);
}

void Invoker::release(const std::string& version_arn) {
  std::shared_ptr<const Ready> ready;
  {
    const std::lock_guard lock(mutex_);
    kept_.erase(version_arn);
    count_provisioned(version_arn);
    if (const auto found = ready_.find(version_arn); found != ready_.end()) ready = found->second;
  }
  if (ready) runner_.keep(ready->spec, 0);
}

functions::Engine::Kept Invoker::kept(const std::string& version_arn) {
  const auto ready = find_ready(version_arn);
  return ready ? runner_.kept(ready->spec->key) : functions::Engine::Kept{};
}

std::vector<std::string> Invoker::kept_versions(const std::string& arn) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  const std::string prefix = arn + ":";
  for (auto at = kept_.lower_bound(prefix); at != kept_.end() && at->first.starts_with(prefix); ++at) out.push_back(at->first.substr(prefix.size()));
  return out;
}

Invoker::Counter Invoker::counter(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Counter& slot = running_[name];
  if (!slot) slot = std::make_shared<Calls>();
  return slot;
}

std::shared_ptr<const Invoker::Head> Invoker::make_head(storage::Version version, FunctionRecord record) {
  auto head = std::make_shared<Head>(version, std::move(record));
  head->own = counter(head->arn);
  head->shared = counter(head->record.scope.account + "/" + head->record.scope.region);
  return head;
}

// A function with reserved concurrency has it for itself, and what a function has provisioned is its own; all share what is left of the
// account's. Source: Developer Guide, "Understanding Lambda function scaling".
Invoker::Permit Invoker::permit(const Head& head) {
  Permit permit;
  const auto count = [&](std::size_t place, const Counter& counter) {
    permit.counted[place] = counter;
    return ++counter->running;
  };
  const std::optional<int> reserved = head.record.reserved_concurrency;
  const int provisioned = reserved ? 0 : head.own->set_aside.load(std::memory_order_relaxed);
  if (reserved && count(0, head.own) > *reserved) throw error(kTooManyRequests, "Rate Exceeded.", {{"Reason", "ReservedFunctionConcurrentInvocationLimitExceeded"}});
  if (reserved || (provisioned > 0 && count(0, head.own) <= provisioned)) return permit;
  if (count(1, head.shared) > kAccountConcurrency - head.shared->set_aside.load(std::memory_order_relaxed)) {
    throw error(kTooManyRequests, "Rate Exceeded.", {{"Reason", "ConcurrentInvocationLimitExceeded"}});
  }
  return permit;
}

void Invoker::set_aside(const aws::Scope& scope, int concurrency) { counter(scope.account + "/" + scope.region)->set_aside = concurrency; }

// Locked: what is provisioned of all versions of the function of this version.
void Invoker::count_provisioned(const std::string& version_arn) {
  const std::string prefix = version_arn.substr(0, version_arn.rfind(':') + 1);
  unsigned all = 0;
  for (auto at = kept_.lower_bound(prefix); at != kept_.end() && at->first.starts_with(prefix); ++at) all += at->second;
  Counter& own = running_[prefix.substr(0, prefix.size() - 1)];
  if (!own) own = std::make_shared<Calls>();
  own->set_aside = static_cast<int>(all);
}

struct Invoker::Admitted {
  aws::Scope scope;
  std::shared_ptr<const Ready> ready;
  Permit permit;
};

awaitable<std::shared_ptr<Invoker::Admitted>> Invoker::admit(FunctionRef ref) {
  const std::shared_ptr<const Head> of = co_await head(ref);
  std::shared_ptr<const Ready> ready = co_await named(of, ref);
  co_return std::make_shared<Admitted>(Admitted{std::move(ref.scope), std::move(ready), permit(*of)});
}

const std::string& Invoker::version_of(const Admitted& admitted) { return admitted.ready->number; }

// What is told of a call when it has ended.
struct Invoker::Note {
  explicit Note(const functions::Invocation& call)
      : request_id(call.request_id), trace_header(call.trace_header), arn(call.function_arn), bytes_in(call.payload.size()) {}
  std::string request_id, trace_header, arn;
  std::size_t bytes_in = 0;
};

awaitable<CallResult> Invoker::run(FunctionRef ref, functions::Invocation invocation) {
  const std::shared_ptr<Admitted> admitted = co_await admit(std::move(ref));
  if (invocation.payload.empty()) invocation.payload = "{}";
  const Note note(invocation);
  functions::InvocationResult result = co_await runner_.invoke(admitted->ready->spec, std::move(invocation));
  if (result.outcome == functions::Outcome::kOk && result.payload.size() > kPayloadBytesMax) {
    result.outcome = functions::Outcome::kFunctionError;
    result.payload = R"({"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).",)"
                     R"("errorType":"Function.ResponseSizeTooLarge"})";
  }
  co_return finish(*admitted, note, std::move(result));
}

awaitable<CallResult> Invoker::run_streaming(std::shared_ptr<Admitted> admitted, functions::Invocation invocation,
                                             functions::ResponseSink& sink) {
  if (invocation.payload.empty()) invocation.payload = "{}";
  const Note note(invocation);
  co_return finish(*admitted, note, co_await runner_.invoke_streaming(admitted->ready->spec, std::move(invocation), sink));
}

CallResult Invoker::finish(const Admitted& admitted, const Note& note, functions::InvocationResult result) {
  const Ready& ready = *admitted.ready;
  CallResult call{std::move(result), false, ready.number};
  const bool throttled = call.result.outcome == functions::Outcome::kThrottled;
  call.function_error = !throttled && call.result.outcome != functions::Outcome::kOk;
  if (options_.on_invoked) {
    options_.on_invoked({admitted.scope, *ready.spec, note.arn, note.request_id, note.trace_header, call.result, call.function_error, note.bytes_in});
  }
  if (throttled) throw error(kTooManyRequests, "Rate Exceeded.", {{"Reason", "ConcurrentInvocationLimitExceeded"}});
  if (options_.on_log && !call.result.log.empty()) {
    options_.on_log({admitted.scope, ready.spec->name, ready.log_group, ready.log_stream, note.request_id, call.result.log});
  }
  return call;
}

}  // namespace parvis::lambda
