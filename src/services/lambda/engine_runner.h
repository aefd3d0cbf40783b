// lambda/engine_runner.h: the worker engine as the Runner of this service. Made by platform/.
#pragma once

#include "services/lambda/invoke.h"

namespace parvis::lambda {

class EngineRunner final : public Runner {  // `engine` outlives it
 public:
  explicit EngineRunner(functions::Engine& engine) : engine_(engine) {}
  void prepare(functions::FunctionSpec spec, bool load) override { engine_.prepare(std::move(spec), load); }
  awaitable<functions::InvocationResult> invoke(std::shared_ptr<const functions::FunctionSpec> spec,
                                                functions::Invocation invocation) override {
    return engine_.invoke(std::move(spec), std::move(invocation));
  }
  awaitable<functions::InvocationResult> invoke_streaming(std::shared_ptr<const functions::FunctionSpec> spec,
                                                          functions::Invocation invocation, functions::ResponseSink& sink) override {
    return engine_.invoke_streaming(std::move(spec), std::move(invocation), sink);
  }
  void retire(const std::string& key) override { engine_.retire(key); }
  void keep(std::shared_ptr<const functions::FunctionSpec> spec, unsigned count) override { engine_.keep(std::move(spec), count); }
  functions::Engine::Kept kept(const std::string& key) override { return engine_.kept(key); }

 private:
  functions::Engine& engine_;
};

}  // namespace parvis::lambda
