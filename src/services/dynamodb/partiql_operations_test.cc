#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/dynamodb/operations.h"
#include "services/dynamodb/partiql_plan.h"
#include "services/dynamodb/testing/items.h"
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

class Statements : public testing::Test {
 protected:
  void SetUp() override {
    model::CreateTableInput in;
    in.table_name = "music";
    in.billing_mode = "PAY_PER_REQUEST";
    in.key_schema = {{"artist", "HASH"}, {"song", "RANGE"}};
    in.attribute_definitions = {{"artist", "S"}, {"song", "S"}};
    run(service.create_table(context(), in));
  }
  void TearDown() override { run(service.stop()); }

  model::ExecuteStatementOutput execute(std::string statement, std::vector<AttributeValue> parameters = {},
                                        std::optional<int> limit = {}, std::optional<std::string> token = {}) {
    model::ExecuteStatementInput in;
    in.statement = std::move(statement);
    if (!parameters.empty()) in.parameters = std::move(parameters);
    in.limit = limit;
    in.next_token = std::move(token);
    in.return_consumed_capacity = "TOTAL";
    return run(service.execute_statement(context(), in));
  }
  std::string error_of(std::string statement, std::optional<std::string> token = {}) {
    try {
      execute(std::move(statement), {}, {}, std::move(token));
    } catch (const aws::ApiError& error) {
      return error.code() + ": " + error.message();
    }
    return "no error";
  }
  void fill(int artists, int songs) {
    for (int a = 0; a < artists; ++a) {
      for (int s = 0; s < songs; ++s) {
        execute("INSERT INTO music VALUE {'artist': ?, 'song': ?, 'n': ?}",
                {text(std::string(1, static_cast<char>('a' + a))), text(std::to_string(s)), number(s)});
      }
    }
  }
  // All items over all pages, as "artist song".
  std::vector<std::string> all(const std::string& statement, int limit) {
    std::vector<std::string> out;
    std::optional<std::string> token;
    for (int pages = 0; pages < 100; ++pages) {
      const model::ExecuteStatementOutput page = execute(statement, {}, limit, token);
      for (const Item& item : *page.items) {
        out.push_back(*item.at("artist").as<std::string>() + *item.at("song").as<std::string>());
      }
      token = page.next_token;
      if (!token) return out;
    }
    ADD_FAILURE() << "no end";
    return out;
  }

  Clock clock;
  Entropy entropy;
  storage::testing::FakeStore store;
  Service service{store, clock, entropy};
};

TEST_F(Statements, WriteReadChangeAndDelete) {
  execute("INSERT INTO music VALUE {'artist': 'A', 'song': 'S', 'tags': <<'x'>>, 'deep': {'list': [1, 2]}}");
  EXPECT_EQ(error_of("INSERT INTO music VALUE {'artist': 'A', 'song': 'S'}"),
            "DuplicateItemException: Duplicate primary key exists in table");
  const auto read = execute("SELECT deep.list[1], tags, song FROM music WHERE artist = 'A' AND song = 'S'");
  EXPECT_EQ(*read.items, (std::vector<Item>{{{"_1", number(2)}, {"song", text("S")},
                                             {"tags", AttributeValue{StringSet{{"x"}}}}}}));
  EXPECT_FALSE(read.next_token.has_value());
  EXPECT_EQ(read.consumed_capacity->capacity_units, 0.5);
  const auto changed = execute("UPDATE music SET n = 1 SET deep.list[0] = ? WHERE artist = 'A' AND song = 'S' RETURNING MODIFIED NEW *",
                               {number(9)});
  EXPECT_EQ(changed.items->at(0).at("n"), number(1));
  EXPECT_EQ(changed.items->at(0).count("song"), 0u);
  const auto gone = execute("DELETE FROM music WHERE artist = 'A' AND song = 'S' AND n = 1 RETURNING ALL OLD *");
  EXPECT_EQ(gone.items->at(0).size(), 5u);
  EXPECT_TRUE(execute("SELECT * FROM music").items->empty());
}

TEST_F(Statements, ConditionsGuardWrites) {
  EXPECT_THAT(error_of("UPDATE music SET n = 1 WHERE artist = 'A' AND song = 'S'"), HasSubstr("ConditionalCheckFailedException"));
  EXPECT_EQ(error_of("DELETE FROM music WHERE artist = 'A' AND song = 'S'"), "no error");
  EXPECT_THAT(error_of("DELETE FROM music WHERE artist = 'A' AND song = 'S' AND n = 1"), HasSubstr("ConditionalCheckFailedException"));
  for (const char* statement : {"UPDATE music SET n = 1", "UPDATE music SET n = 1 WHERE artist = 'A'", "DELETE FROM music WHERE n = 1",
                                "DELETE FROM music WHERE artist = 'A' AND song > 'S'"}) {
    EXPECT_EQ(error_of(statement), "ValidationException: Where clause does not contain a mandatory equality on all key attributes");
  }
  EXPECT_THAT(error_of("SELECT * FROM absent"), HasSubstr("ResourceNotFoundException: Requested resource not found"));
  EXPECT_THAT(error_of("SELECT * FROM music.absent"), HasSubstr("The table does not have the specified index"));
}

TEST_F(Statements, PagesOverPartitionsAndTables) {
  fill(3, 4);
  const std::string in = "SELECT * FROM music WHERE artist IN ['b', 'a'] AND song >= '1'";
  for (int limit : {1, 2, 3, 5, 100}) {
    EXPECT_EQ(all(in, limit), (std::vector<std::string>{"b1", "b2", "b3", "a1", "a2", "a3"})) << limit;
    EXPECT_EQ(all(in + " ORDER BY artist ASC, song DESC", limit), (std::vector<std::string>{"a3", "a2", "a1", "b3", "b2", "b1"}));
    EXPECT_EQ(all(in + " ORDER BY song", limit), (std::vector<std::string>{"b1", "a1", "b2", "a2", "b3", "a3"})) << limit;
    EXPECT_EQ(all(in + " ORDER BY song DESC, artist ASC", limit), (std::vector<std::string>{"a3", "b3", "a2", "b2", "a1", "b1"})) << limit;
    EXPECT_EQ(all(in + " AND n <> 1 ORDER BY song DESC", limit), all(in + " AND n <> 1 ORDER BY song DESC", 100)) << limit;
    const std::string keys = "SELECT * FROM music WHERE (artist = 'b' AND song = '2') OR (artist = 'a' AND song = '1') OR (artist = 'a' AND song = 'x')";
    EXPECT_EQ(all(keys, limit), (std::vector<std::string>{"b2", "a1"})) << limit;
    EXPECT_EQ(all(keys + " ORDER BY song", limit), (std::vector<std::string>{"a1", "b2"})) << limit;
    EXPECT_EQ(all("SELECT * FROM music WHERE n = 3 OR artist = 'c'", limit).size(), 6u) << limit;
  }
  const auto page = execute(in, {}, 2);
  EXPECT_EQ(error_of(in + " AND n = 1", page.next_token), "ValidationException: NextToken does not match request");
  EXPECT_EQ(error_of(in, "bm90aGluZw=="), "ValidationException: NextToken does not match request");
  EXPECT_THAT(error_of("SELECT * FROM music ORDER BY song"), HasSubstr("Must have WHERE clause"));
  EXPECT_THAT(error_of("SELECT * FROM music WHERE n = 1 ORDER BY song"), HasSubstr("hash key condition"));
  EXPECT_THAT(error_of("SELECT * FROM music WHERE artist = 'a' ORDER BY n"), HasSubstr("must be part of the primary key"));
}

TEST_F(Statements, BatchReportsEachStatement) {
  fill(1, 2);
  model::BatchExecuteStatementInput in;
  for (const char* statement : {"SELECT song FROM music WHERE artist = 'a' AND song = '1'", "SELECT * FROM music WHERE artist = 'a'",
                                "SLECT", "SELECT * FROM absent WHERE artist = 'a' AND song = '1'"}) {
    in.statements = in.statements.value_or(std::vector<model::BatchStatementRequest>());
    in.statements->emplace_back().statement = statement;
  }
  const auto out = run(service.batch_execute_statement(context(), in));
  EXPECT_EQ(out.responses->at(0).item, (Item{{"song", text("1")}}));
  EXPECT_EQ(out.responses->at(0).table_name, "music");
  EXPECT_EQ(out.responses->at(1).error->code, "ValidationError");
  EXPECT_EQ(out.responses->at(2).error->message, "Statement wasn't well formed, can't be processed: Expected data manipulation");
  EXPECT_EQ(out.responses->at(3).error->code, "ResourceNotFound");
}

TEST_F(Statements, BatchedWritesNameTheirTableWhenTheyFail) {
  fill(1, 1);
  model::BatchExecuteStatementInput in;
  in.statements.emplace(2);
  (*in.statements)[0].statement = "INSERT INTO music VALUE {'artist': 'a', 'song': '0'}";
  (*in.statements)[1].statement = "UPDATE music SET n = 1 WHERE artist = 'a' AND song = '0' AND n = 9";
  (*in.statements)[1].return_values_on_condition_check_failure = "ALL_OLD";
  const auto out = run(service.batch_execute_statement(context(), in));
  EXPECT_EQ(out.responses->at(0).error->code, "DuplicateItem");
  EXPECT_EQ(out.responses->at(0).table_name, "music");
  EXPECT_EQ(out.responses->at(1).error->code, "ConditionalCheckFailed");
  EXPECT_EQ(out.responses->at(1).error->item->at("n"), number(0));
  in.statements->emplace_back().statement = "SELECT * FROM music WHERE artist = 'a' AND song = '0'";
  try {
    run(service.batch_execute_statement(context(), in));
    ADD_FAILURE() << "reads and writes in one batch";
  } catch (const aws::ApiError& error) {
    EXPECT_THAT(error.message(), HasSubstr("does not support both read and write operations"));
  }
}

TEST_F(Statements, TransactionsAreAllOrNothing) {
  fill(1, 1);
  const auto transact = [this](std::vector<std::string> statements) -> std::string {
    model::ExecuteTransactionInput in;
    in.transact_statements.emplace();
    for (std::string& statement : statements) in.transact_statements->emplace_back().statement = std::move(statement);
    try {
      return std::to_string(run(service.execute_transaction(context(), in)).responses.value_or(std::vector<model::ItemResponse>()).size());
    } catch (const aws::ApiError& error) {
      return error.message();
    }
  };
  const std::string exists = "EXISTS(SELECT * FROM music WHERE artist = 'a' AND song = '0' AND n = ";
  EXPECT_THAT(transact({"INSERT INTO music VALUE {'artist': 'z', 'song': 'z'}", exists + "7)"}),
              HasSubstr("specific reasons [None, ConditionalCheckFailed]"));
  EXPECT_THAT(transact({"INSERT INTO music VALUE {'artist': 'a', 'song': '0'}"}), HasSubstr("[DuplicateItem]"));
  EXPECT_EQ(execute("SELECT * FROM music").items->size(), 1u);
  EXPECT_EQ(transact({"INSERT INTO music VALUE {'artist': 'z', 'song': 'z'}", exists + "0)"}), "0");
  EXPECT_EQ(transact({"SELECT * FROM music WHERE artist = 'z' AND song = 'z'", "SELECT * FROM music WHERE artist = 'q' AND song = 'q'"}), "2");
  EXPECT_THAT(transact({"SELECT * FROM music WHERE artist = 'z' AND song = 'z'", "DELETE FROM music WHERE artist = 'z' AND song = 'z'"}),
              HasSubstr("does not support both read and write operations"));
  EXPECT_EQ(transact({"UPDATE music SET n = 1 WHERE artist = 'z' AND song = 'z' RETURNING ALL NEW *"}),
            "Validation failed in TransactStatements[0]: RETURNING clause is not supported in ExecuteTransaction.");
  EXPECT_EQ(transact({exists + "0)", "SELECT * FROM music WHERE"}),
            "Validation failed in TransactStatements[1]: Statement wasn't well formed, can't be processed: Unexpected term");
  EXPECT_THAT(transact({"EXISTS(SELECT * FROM music WHERE artist = 'a' AND song = '0')"}), HasSubstr("EXISTS() must contain"));
}

}  // namespace
}  // namespace parvis::dynamodb
