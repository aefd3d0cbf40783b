// What reads do with each item between the store and the answer.
#include <benchmark/benchmark.h>

#include "services/dynamodb/attribute_value.h"
#include "services/dynamodb/keyspace.h"

namespace parvis::dynamodb {
namespace {

// `count` attributes of 20 bytes, a third each text, numbers and lists.
Item make_item(std::int64_t count) {
  Item item;
  for (std::int64_t i = 0; i < count; ++i) {
    AttributeValue& value = item["attribute" + std::to_string(i)];
    if (i % 3 == 0) value = AttributeValue::string(std::string(20, 'x'));
    else if (i % 3 == 1) value = AttributeValue::number(*Number::parse("12345678901234567890"));
    else value = {AttributeValue::List{AttributeValue::string("0123456789"), {true}}};
  }
  return item;
}

void BM_DecodeStored(benchmark::State& state) {  // metric: items/s
  const std::string bytes = encode_stored(1, make_item(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(decode_stored(bytes));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DecodeStored)->ArgName("attributes")->Arg(1)->Arg(10)->Arg(200);

void BM_WriteJson(benchmark::State& state) {  // metric: items/s
  const AttributeValue item = AttributeValue::map(make_item(state.range(0)));
  std::string out;
  for (auto _ : state) {
    out.clear();
    attribute_to_json(item, out);
    benchmark::DoNotOptimize(out);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_WriteJson)->ArgName("attributes")->Arg(1)->Arg(10)->Arg(200);

void BM_ReadJson(benchmark::State& state) {  // from a parsed document; metric: items/s
  const boost::json::value json = attribute_to_json(AttributeValue::map(make_item(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(attribute_from_json(json));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ReadJson)->ArgName("attributes")->Arg(1)->Arg(10)->Arg(200);

}  // namespace
}  // namespace parvis::dynamodb
