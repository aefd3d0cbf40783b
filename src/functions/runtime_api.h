// functions/runtime_api.h: the public Runtime API of one worker, on an address of its own: what bootstraps and the official
// clients speak. Towards the engine it is a runtime client like our own: the same frames over a socket pair.
// Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "core/async.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "core/fd.h"
#include "functions/extensions.h"

namespace parvis::functions {

// Runs on one io_context of one thread. Answers GET runtime/invocation/next and POST runtime/invocation/{id}/response,
// runtime/invocation/{id}/error, runtime/init/error. An id that is not the open call's: 400 InvalidRequestID. A call that
// does not fit the state (next while a call is open, init/error after the first next): 403 InvalidStateTransition.
// Answer above 6 MB: 413, and the caller gets Function.ResponseSizeTooLarge. Anything else: 404.
class RuntimeApi {
 public:
  // `channel` is the worker's side of the engine's socket pair. `listen`: on a port of the host; else connections come by
  // connections() alone. Throws std::system_error when no port can be had.
  // A runtime client that speaks frames itself (ours) instead of asking for calls by HTTP: its messages pass through, so that extensions
  // can be beside it. Without: no descriptors.
  struct Framed { Fd messages, answers; };
  static std::shared_ptr<RuntimeApi> open(asio::io_context& context, Fd channel, const Clock& clock, Entropy& entropy, Extensions::Setup extensions = {}, bool listen = true, Framed framed = Framed());
  virtual ~RuntimeApi() = default;
  virtual std::uint16_t port() const = 0;  // of 127.0.0.1: what AWS_LAMBDA_RUNTIME_API names
  // Takes connections that were accepted inside the worker's network. Any thread, also after the end.
  virtual std::function<void(Fd, std::shared_ptr<void>)> connections() = 0;
  // Extensions are told of calls and of the end, and the worker is ready when they are, too. A 'D' after 'T' means that they are done.
  virtual Extensions& extensions() = 0;
  virtual void close() = 0;                // on the context's thread: waiting requests end
};

}  // namespace parvis::functions
