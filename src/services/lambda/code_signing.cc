#include "services/lambda/code_signing.h"

#include <fmt/format.h>

#include "services/lambda/request.h"

namespace parvis::lambda {
namespace {

namespace model = aws::model::lambda;

aws::ApiError no_configuration(const std::optional<std::string>& arn) {
  return error(kResourceNotFound, fmt::format("The Lambda code signing configuration {} can not be found.", or_default(arn)));
}

template <class Op>
void bind_unknown(aws::Registry& registry) {
  registry.bind<Op>([](aws::CallContext, typename Op::Input in) -> awaitable<typename Op::Output> {
    throw no_configuration(in.code_signing_config_arn);
    co_return typename Op::Output{};
  });
}

}  // namespace

void CodeSigning::bind(aws::Registry& registry) {
  bind_unknown<model::GetCodeSigningConfig>(registry);
  bind_unknown<model::UpdateCodeSigningConfig>(registry);
  bind_unknown<model::DeleteCodeSigningConfig>(registry);
  bind_unknown<model::ListFunctionsByCodeSigningConfig>(registry);
  registry.bind<model::ListCodeSigningConfigs>([](aws::CallContext, model::ListCodeSigningConfigsInput) -> awaitable<model::ListCodeSigningConfigsOutput> {
    model::ListCodeSigningConfigsOutput out;
    out.code_signing_configs.emplace();
    co_return out;
  });
  const auto bind = [&]<class Op>(Op, auto method) {
    registry.bind<Op>([this, method](aws::CallContext call, typename Op::Input in) { return (this->*method)(std::move(call), std::move(in)); });
  };
  bind(model::GetFunctionCodeSigningConfig{}, &CodeSigning::get_of_function);
  bind(model::DeleteFunctionCodeSigningConfig{}, &CodeSigning::delete_of_function);
  bind(model::PutFunctionCodeSigningConfig{}, &CodeSigning::put_of_function);
}

// An empty answer is what AWS gives for a function without one.
awaitable<model::GetFunctionCodeSigningConfigOutput> CodeSigning::get_of_function(aws::CallContext call, model::GetFunctionCodeSigningConfigInput in) {
  co_await functions_.get(latest_ref(call.scope, or_default(in.function_name)));
  co_return model::GetFunctionCodeSigningConfigOutput{};
}

awaitable<model::DeleteFunctionCodeSigningConfigOutput> CodeSigning::delete_of_function(aws::CallContext call, model::DeleteFunctionCodeSigningConfigInput in) {
  co_await functions_.get(latest_ref(call.scope, or_default(in.function_name)));
  co_return model::DeleteFunctionCodeSigningConfigOutput{};
}

awaitable<model::PutFunctionCodeSigningConfigOutput> CodeSigning::put_of_function(aws::CallContext, model::PutFunctionCodeSigningConfigInput in) {
  throw error(kCodeSigningConfigNotFound, fmt::format("The code signing configuration cannot be found. Check that the provided configuration is not deleted: {}.",
      or_default(in.code_signing_config_arn)));
  co_return model::PutFunctionCodeSigningConfigOutput{};
}

}  // namespace parvis::lambda
