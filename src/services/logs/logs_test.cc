// Groups, streams and events over the fake store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/logs/operations.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::logs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
constexpr std::int64_t kNow = 1795428000000;
const aws::Scope kScope{"123456789012", "us-east-1"};

class Logs : public testing::Test {
 protected:
  Logs() : clock_(Millis{std::chrono::milliseconds{kNow}}), logs_(store_, clock_, entropy_), service_(logs_, clock_) {
    service_.bind(registry_);
  }
  template <class Op>
  typename Op::Output call(typename Op::Input in) {
    aws::CallContext context;
    context.scope = kScope;
    auto out = storage::testing::run(registry_.find("logs", Op::model().name)->handler(
        context, std::make_shared<typename Op::Input>(std::move(in))));
    return *std::static_pointer_cast<typename Op::Output>(out);
  }
  template <class Op>
  std::string error(typename Op::Input in) {
    try {
      call<Op>(std::move(in));
      return {};
    } catch (const aws::ApiError& thrown) {
      return thrown.code() + ": " + thrown.message();
    }
  }
  template <class Input>
  static Input in_stream(std::string stream = "s") {
    Input in;
    in.log_group_name = "g";
    in.log_stream_name = std::move(stream);
    return in;
  }
  static model::PutLogEventsInput put(std::vector<std::pair<std::int64_t, std::string>> events, std::string stream = "s") {
    auto in = in_stream<model::PutLogEventsInput>(std::move(stream));
    in.log_events.emplace();
    for (auto& [at, message] : events) {
      model::InputLogEvent event;
      event.timestamp = at;
      event.message = std::move(message);
      in.log_events->push_back(std::move(event));
    }
    return in;
  }
  void make(std::string stream = "s") {
    model::CreateLogGroupInput group;
    group.log_group_name = "g";
    error<model::CreateLogGroup>(group);
    call<model::CreateLogStream>(in_stream<model::CreateLogStreamInput>(std::move(stream)));
  }
  static std::vector<std::string> messages(const auto& out) {
    std::vector<std::string> texts;
    for (const auto& event : *out.events) texts.push_back(*event.message);
    return texts;
  }

  storage::testing::FakeStore store_;
  ManualClock clock_;
  Entropy entropy_;
  LogStore logs_;
  LogsService service_;
  aws::Registry registry_;
};

TEST_F(Logs, GroupsAndStreams) {
  EXPECT_THAT(error<model::CreateLogStream>(in_stream<model::CreateLogStreamInput>()), HasSubstr("ResourceNotFoundException"));
  make();
  EXPECT_THAT(error<model::CreateLogStream>(in_stream<model::CreateLogStreamInput>()), HasSubstr("ResourceAlreadyExistsException"));
  const auto groups = call<model::DescribeLogGroups>({});
  ASSERT_EQ(groups.log_groups->size(), 1u);
  EXPECT_EQ(groups.log_groups->at(0).arn, "arn:aws:logs:us-east-1:123456789012:log-group:g:*");
  model::DescribeLogStreamsInput streams;
  streams.log_group_identifier = "arn:aws:logs:us-east-1:123456789012:log-group:g";
  EXPECT_EQ(call<model::DescribeLogStreams>(streams).log_streams->size(), 1u);
  call<model::PutLogEvents>(put({{kNow, "x"}}));
  model::DeleteLogGroupInput group;
  group.log_group_name = "g";
  call<model::DeleteLogGroup>(group);
  EXPECT_THAT(error<model::DeleteLogGroup>(group), HasSubstr("ResourceNotFoundException"));
  make();
  EXPECT_THAT(messages(call<model::GetLogEvents>(in_stream<model::GetLogEventsInput>())), testing::IsEmpty());
}

TEST_F(Logs, EventsComeBackInOrderAndInPages) {
  make();
  call<model::PutLogEvents>(put({{kNow - 2, "c"}, {kNow - 1, "d"}}));
  call<model::PutLogEvents>(put({{kNow - 4, "a"}, {kNow - 3, "b\xff"}}));
  auto in = in_stream<model::GetLogEventsInput>();
  EXPECT_THAT(messages(call<model::GetLogEvents>(in)), ElementsAre("a", "b\xff", "c", "d"));
  in.limit = 3;
  const auto tail = call<model::GetLogEvents>(in);
  EXPECT_THAT(messages(tail), ElementsAre("b\xff", "c", "d"));
  in.next_token = tail.next_backward_token;
  EXPECT_THAT(messages(call<model::GetLogEvents>(in)), ElementsAre("a"));
  in.next_token = tail.next_forward_token;
  const auto end = call<model::GetLogEvents>(in);
  EXPECT_THAT(messages(end), testing::IsEmpty());
  EXPECT_EQ(end.next_forward_token, tail.next_forward_token);
  in = in_stream<model::GetLogEventsInput>();
  in.start_time = kNow - 3;
  in.end_time = kNow - 1;
  EXPECT_THAT(messages(call<model::GetLogEvents>(in)), ElementsAre("b\xff", "c"));
  in.next_token = "nonsense";
  EXPECT_THAT(error<model::GetLogEvents>(in), HasSubstr("InvalidParameterException"));
}

TEST_F(Logs, PutChecksTimes) {
  make();
  EXPECT_THAT(error<model::PutLogEvents>(put({{kNow, "a"}, {kNow - 1, "b"}})), HasSubstr("chronological order"));
  EXPECT_THAT(error<model::PutLogEvents>(put({{kNow, std::string(1u << 20, 'x')}})), HasSubstr("Upload too large"));
  const auto out = call<model::PutLogEvents>(put({{1, "old"}, {kNow, "now"}, {kNow + 3 * 3'600'000, "new"}}));
  EXPECT_EQ(out.rejected_log_events_info->too_old_log_event_end_index, 1);
  EXPECT_EQ(out.rejected_log_events_info->too_new_log_event_start_index, 2);
  EXPECT_THAT(messages(call<model::GetLogEvents>(in_stream<model::GetLogEventsInput>())), ElementsAre("now"));
}

TEST_F(Logs, WhatFunctionsPrintIsGatheredAndFound) {
  logs_.append(kScope, "g", "s1", "START\nhello world\n");
  logs_.append(kScope, "g", "s2", "other");
  storage::testing::run(logs_.flush());
  logs_.append(kScope, "g", "s1", std::string(200'000, 'x'));
  storage::testing::run(logs_.flush());
  model::FilterLogEventsInput in;
  in.log_group_name = "g";
  EXPECT_EQ(call<model::FilterLogEvents>(in).events->size(), 4u);
  in.filter_pattern = "\"hello world\"";
  EXPECT_THAT(messages(call<model::FilterLogEvents>(in)), ElementsAre("hello world"));
  in.filter_pattern = "{ $.a = 1 }";
  EXPECT_THAT(error<model::FilterLogEvents>(in), HasSubstr("not available on this platform"));
  in.filter_pattern.reset();
  in.log_stream_name_prefix = "s2";
  EXPECT_THAT(messages(call<model::FilterLogEvents>(in)), ElementsAre("other"));
}

TEST_F(Logs, GatheringIsBounded) {
  const std::string line(200'000, 'x');
  for (int i = 0; i < 100; ++i) logs_.append(kScope, "g", "s", line);
  EXPECT_GT(logs_.dropped(), 0u);
}

TEST_F(Logs, RetentionRemovesBlocksThatAreOldEnough) {
  make();
  make("other");
  constexpr std::int64_t kDay = 86'400'000;
  call<model::PutLogEvents>(put({{kNow - 3 * kDay, "old"}}));
  call<model::PutLogEvents>(put({{kNow - 3 * kDay, "in one block with"}, {kNow, "young"}}));
  call<model::PutLogEvents>(put({{kNow - 3 * kDay, "old"}}, "other"));
  storage::testing::run(logs_.apply_retention());
  model::FilterLogEventsInput all;
  all.log_group_name = "g";
  EXPECT_EQ(call<model::FilterLogEvents>(all).events->size(), 4u);
  model::PutRetentionPolicyInput retention;
  retention.log_group_name = "g";
  retention.retention_in_days = 2;
  EXPECT_THAT(error<model::PutRetentionPolicy>(retention), HasSubstr("Value '2' at 'retentionInDays'"));
  retention.retention_in_days = 1;
  call<model::PutRetentionPolicy>(retention);
  storage::testing::run(logs_.apply_retention());
  EXPECT_THAT(messages(call<model::FilterLogEvents>(all)), ElementsAre("in one block with", "young"));
  clock_.advance(std::chrono::hours(49));  // due time
  storage::testing::run(logs_.apply_retention());
  EXPECT_TRUE(call<model::FilterLogEvents>(all).events->empty());
}

}  // namespace
}  // namespace parvis::logs
