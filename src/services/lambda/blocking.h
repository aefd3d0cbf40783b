// lambda/blocking.h: runs a blocking piece of work on another executor and resumes the caller on its own.
#pragma once

#include <type_traits>
#include <utility>

#include "core/async.h"

namespace parvis::lambda {

template <class Work>
awaitable<std::invoke_result_t<Work>> as_coroutine(Work work) {
  co_return work();
}

template <class Work>
awaitable<std::invoke_result_t<Work>> run_blocking(asio::any_io_executor pool, Work work) {
  co_return co_await asio::co_spawn(pool, as_coroutine(std::move(work)), use_awaitable);
}

}  // namespace parvis::lambda
