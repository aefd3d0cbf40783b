#include "services/dynamodb/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/resources.h"
#include "storage/testing/fake_store.h"
#include "storage/testing/run.h"

namespace parvis::dynamodb {
namespace {

using storage::testing::run;
using testing::HasSubstr;

aws::CallContext context() {
  aws::CallContext call;
  call.scope = {"000000000000", "us-east-1"};
  return call;
}
AttributeValue text(std::string value) { return AttributeValue::string(std::move(value)); }

class Operations : public testing::Test {
 protected:
  void SetUp() override { run(service.create_table(context(), table_input("music"))); }
  void TearDown() override { run(service.stop()); }

  static model::CreateTableInput table_input(std::string name) {
    model::CreateTableInput in;
    in.table_name = std::move(name);
    in.billing_mode = "PAY_PER_REQUEST";
    in.key_schema = {{"artist", "HASH"}, {"song", "RANGE"}};
    in.attribute_definitions = {{"artist", "S"}, {"song", "S"}};
    return in;
  }
  template <class F>
  void expect_error(F call, std::string_view code, std::string_view message) {
    try {
      run(call());
      ADD_FAILURE() << "no error";
    } catch (const aws::ApiError& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_THAT(error.message(), HasSubstr(message));
    }
  }

  Clock clock;
  Entropy entropy;
  storage::testing::FakeStore store;
  Service service{store, clock, entropy};
};

TEST_F(Operations, EveryListedOperationHasAHandler) {
  aws::Registry registry;
  service.register_operations(registry);
  EXPECT_EQ(std::distance(registry.begin(), registry.end()), 46);
}

TEST_F(Operations, PutUpdateGetDelete) {
  model::PutItemInput put;
  put.table_name = "music";
  put.item = {{"artist", text("A")}, {"song", text("S")}, {"plays", AttributeValue::number(Number::from_int(1))}};
  put.return_consumed_capacity = "TOTAL";
  EXPECT_EQ(run(service.put_item(context(), put)).consumed_capacity->capacity_units, 1.0);
  model::UpdateItemInput update;
  update.table_name = "arn:aws:dynamodb:us-east-1:000000000000:table/music";
  update.key = {{"artist", text("A")}, {"song", text("S")}};
  update.update_expression = "ADD plays :n";
  update.expression_attribute_values = {{":n", AttributeValue::number(Number::from_int(2))}};
  update.return_values = "UPDATED_NEW";
  const auto updated = run(service.update_item(context(), update));
  EXPECT_EQ(*updated.attributes, (Item{{"plays", AttributeValue::number(Number::from_int(3))}}));
  model::DeleteItemInput remove;
  remove.table_name = "music";
  remove.key = update.key;
  remove.return_values = "ALL_OLD";
  EXPECT_EQ(run(service.delete_item(context(), remove)).attributes->size(), 3u);
  model::GetItemInput get;
  get.table_name = "music";
  get.key = update.key;
  EXPECT_FALSE(run(service.get_item(context(), get)).item);
  get.table_name = "nothing";
  expect_error([&] { return service.get_item(context(), get); }, "ResourceNotFoundException", "Requested resource not found");
  get.table_name = "music";
  get.key->erase("song");
  expect_error([&] { return service.get_item(context(), get); }, "ValidationException",
               "The provided key element does not match the schema");
}

TEST_F(Operations, BatchesAndQuery) {
  model::BatchWriteItemInput batch;
  std::vector<model::WriteRequest> requests;
  for (int i = 0; i < 25; ++i) {
    model::WriteRequest request;
    request.put_request.emplace();
    request.put_request->item = {{"artist", text("A")}, {"song", text("S" + std::to_string(10 + i))}};
    requests.push_back(request);
  }
  batch.request_items = {{"music", requests}};
  EXPECT_TRUE(run(service.batch_write_item(context(), batch)).unprocessed_items->empty());
  model::QueryInput query;
  query.table_name = "music";
  query.key_condition_expression = "artist = :a AND begins_with(song, :s)";
  query.expression_attribute_values = {{":a", text("A")}, {":s", text("S2")}};
  query.scan_index_forward = false;
  query.limit = 4;
  const auto page = run(service.query(context(), query));
  EXPECT_EQ(page.count, 4);
  EXPECT_EQ(page.items->front().at("song"), text("S29"));
  EXPECT_EQ(page.last_evaluated_key->at("song"), text("S26"));
  model::ScanInput scan;
  scan.table_name = "music";
  scan.select = "COUNT";
  EXPECT_EQ(run(service.scan(context(), scan)).count, 25);
}

TEST_F(Operations, TablesAreListedAndDeleted) {
  run(service.create_table(context(), table_input("albums")));
  expect_error([&] { return service.create_table(context(), table_input("albums")); }, "ResourceInUseException",
               "Table already exists: albums");
  EXPECT_THAT(*run(service.list_tables(context(), {})).table_names, testing::ElementsAre("albums", "music"));
  model::DescribeTableInput describe;
  describe.table_name = "albums";
  EXPECT_EQ(run(service.describe_table(context(), describe)).table->table_status, "ACTIVE");
  model::DeleteTableInput remove;
  remove.table_name = "albums";
  EXPECT_EQ(run(service.delete_table(context(), remove)).table_description->table_status, "DELETING");
  expect_error([&] { return service.describe_table(context(), describe); }, "ResourceNotFoundException",
               "Requested resource not found: Table: albums not found");
}

TEST_F(Operations, ProvisionedTablesThrottleWhenTheirBurstIsUsedUp) {
  model::CreateTableInput in = table_input("slow");
  in.billing_mode = "PROVISIONED";
  in.provisioned_throughput = model::ProvisionedThroughput{1, 1};
  run(service.create_table(context(), in));
  model::PutItemInput put;
  put.table_name = "slow";
  put.item = {{"artist", text("A")}, {"song", text("S")}, {"pad", text(std::string(320 * 1024, 'x'))}};
  run(service.put_item(context(), put));  // 321 of 300 units
  constexpr std::string_view kCode = "ProvisionedThroughputExceededException", kMessage = "for the table was exceeded";
  expect_error([&] { return service.put_item(context(), put); }, kCode, kMessage);
  model::WriteRequest request;
  request.put_request.emplace().item = {{"artist", text("A")}, {"song", text("S")}};
  model::BatchWriteItemInput batch;
  batch.request_items = {{"slow", {request}}};
  expect_error([&] { return service.batch_write_item(context(), batch); }, kCode, kMessage);
  batch.request_items->emplace("music", std::vector{request});
  const model::BatchWriteItemOutput out = run(service.batch_write_item(context(), batch));
  EXPECT_EQ(out.unprocessed_items->size(), 1u);
  EXPECT_EQ(out.unprocessed_items->count("slow"), 1u);
  model::TransactWriteItemsInput transaction;
  transaction.transact_items.emplace(1).front().put.emplace().table_name = "slow";
  transaction.transact_items->front().put->item = request.put_request->item;
  expect_error([&] { return service.transact_write_items(context(), transaction); }, "TransactionCanceledException",
               "[ProvisionedThroughputExceeded]");
  model::GetItemInput get;
  get.table_name = "slow";
  get.key = request.put_request->item;
  EXPECT_TRUE(run(service.get_item(context(), get)).item.has_value());
  service.set_throughput_enforced(false);
  run(service.put_item(context(), put));
}

TEST_F(Operations, APolicyMustBeADocument) {
  model::CreateTableInput in = table_input("policed");
  in.resource_policy = "{}";
  expect_error([&] { return service.create_table(context(), in); }, "ValidationException", "Invalid policy document");
}

}  // namespace
}  // namespace parvis::dynamodb
