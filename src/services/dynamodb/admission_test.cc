#include "services/dynamodb/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parvis::dynamodb {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class AdmissionTest : public testing::Test {
 protected:
  static TableRecord make_table() {
    TableRecord table;
    table.id = "t1";
    table.name = "music";
    table.scope = {"000000000000", "us-east-1"};
    table.on_demand = false;
    table.throughput = {2, 1};
    IndexRecord index;
    index.id = "i1";
    index.name = "by_year";
    index.throughput = {1, 1};
    table.indexes.push_back(index);
    return table;
  }
  void pass(int count) { clock.set(clock.wall() + seconds(count)); }

  ManualClock clock{Millis(seconds(1'000'000))};
  Admission admission{clock};
  TableRecord table = make_table();
};

TEST_F(AdmissionTest, ABurstIsFiveMinutesOfUnusedCapacity) {
  admission.charge(table, nullptr, Access::kWrite, 299);
  EXPECT_FALSE(admission.is_exhausted(table, nullptr, Access::kWrite));
  admission.charge(table, nullptr, Access::kWrite, 1);
  EXPECT_TRUE(admission.is_exhausted(table, nullptr, Access::kWrite));
  EXPECT_FALSE(admission.is_exhausted(table, nullptr, Access::kRead));
  pass(1);
  EXPECT_FALSE(admission.is_exhausted(table, nullptr, Access::kWrite));
  pass(100'000);
  admission.charge(table, nullptr, Access::kWrite, 300);
  EXPECT_TRUE(admission.is_exhausted(table, nullptr, Access::kWrite));
}

TEST_F(AdmissionTest, WhatWasTakenBeyondTheRestIsPaidBack) {
  admission.charge(table, nullptr, Access::kRead, 610);
  pass(5);
  EXPECT_TRUE(admission.is_exhausted(table, nullptr, Access::kRead));
  pass(1);
  EXPECT_FALSE(admission.is_exhausted(table, nullptr, Access::kRead));
}

TEST_F(AdmissionTest, GlobalIndexesHaveTheirOwnLocalOnesTheTables) {
  admission.charge(table, &table.indexes[0], Access::kWrite, 300);
  EXPECT_FALSE(admission.is_exhausted(table, nullptr, Access::kWrite));
  try {
    admission.check(table, &table.indexes[0], Access::kWrite);
    ADD_FAILURE();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "ProvisionedThroughputExceededException");
    EXPECT_THAT(error.message(), HasSubstr("one or more global secondary indexes"));
    EXPECT_EQ(boost::json::serialize(error.members()),
              R"({"ThrottlingReasons":[{"reason":"IndexWriteProvisionedThroughputExceeded",)"
              R"("resource":"arn:aws:dynamodb:us-east-1:000000000000:table/music/index/by_year"}]})");
  }
  table.indexes[0].global = false;
  admission.charge(table, &table.indexes[0], Access::kWrite, 300);
  EXPECT_TRUE(admission.is_exhausted(table, nullptr, Access::kWrite));
}

TEST_F(AdmissionTest, OnDemandAndSwitchedOffAreNotLimited) {
  admission.charge(table, nullptr, Access::kWrite, 1000);
  admission.set_enforced(false);
  admission.check(table, nullptr, Access::kWrite);
  admission.set_enforced(true);
  table.on_demand = true;
  admission.check(table, nullptr, Access::kWrite);
}

TEST_F(AdmissionTest, OnDemandMaximaHoldASecond) {
  table.on_demand = true;
  table.on_demand_max = {5, 0};
  admission.charge(table, nullptr, Access::kWrite, 1000);  // no maximum of writes
  EXPECT_FALSE(admission.is_exhausted(table, nullptr, Access::kWrite));
  admission.charge(table, nullptr, Access::kRead, 14);
  try {
    admission.check(table, nullptr, Access::kRead);
    ADD_FAILURE();
  } catch (const aws::ApiError& error) {
    EXPECT_EQ(error.code(), "ThrottlingException");
    EXPECT_THAT(boost::json::serialize(error.members()), HasSubstr("TableReadMaxOnDemandThroughputExceeded"));
  }
  pass(1);
  EXPECT_TRUE(admission.is_exhausted(table, nullptr, Access::kRead));
  pass(1);
  EXPECT_FALSE(admission.is_exhausted(table, nullptr, Access::kRead));
}

}  // namespace
}  // namespace parvis::dynamodb
