// dynamodb/table_rules.h: what happens to each property of AWS::DynamoDB::Table.
// Source: CloudFormation Template Reference.
#pragma once

#include "aws/resource_type.h"

namespace parvis::dynamodb::rules {

using Handling = aws::PropertyRule::Handling;
using Change = aws::PropertyRule::Change;

inline constexpr std::string_view kNoVectors = "there is no vector search";
inline constexpr std::string_view kNotEvaluated = "kept and given back, not evaluated";
inline constexpr aws::PropertyRule kTableRules[] = {
    {"TableName", Handling::kApplied, Change::kReplaces},
    {"KeySchema", Handling::kApplied, Change::kReplaces},
    {"KeySchema[].AttributeName", Handling::kApplied, Change::kReplaces},
    {"KeySchema[].KeyType", Handling::kApplied, Change::kReplaces},
    {"AttributeDefinitions"},
    {"AttributeDefinitions[].AttributeName"},
    {"AttributeDefinitions[].AttributeType"},
    {"BillingMode"},
    {"ProvisionedThroughput"},
    {"ProvisionedThroughput.ReadCapacityUnits"},
    {"ProvisionedThroughput.WriteCapacityUnits"},
    {"OnDemandThroughput"},
    {"OnDemandThroughput.MaxReadRequestUnits"},
    {"OnDemandThroughput.MaxWriteRequestUnits"},
    {"WarmThroughput"},
    {"WarmThroughput.ReadUnitsPerSecond"},
    {"WarmThroughput.WriteUnitsPerSecond"},
    {"GlobalSecondaryIndexes"},
    {"GlobalSecondaryIndexes[].IndexName"},
    {"GlobalSecondaryIndexes[].KeySchema"},
    {"GlobalSecondaryIndexes[].KeySchema[].AttributeName"},
    {"GlobalSecondaryIndexes[].KeySchema[].KeyType"},
    {"GlobalSecondaryIndexes[].Projection"},
    {"GlobalSecondaryIndexes[].Projection.ProjectionType"},
    {"GlobalSecondaryIndexes[].Projection.NonKeyAttributes"},
    {"GlobalSecondaryIndexes[].ProvisionedThroughput"},
    {"GlobalSecondaryIndexes[].ProvisionedThroughput.ReadCapacityUnits"},
    {"GlobalSecondaryIndexes[].ProvisionedThroughput.WriteCapacityUnits"},
    {"GlobalSecondaryIndexes[].OnDemandThroughput"},
    {"GlobalSecondaryIndexes[].OnDemandThroughput.MaxReadRequestUnits"},
    {"GlobalSecondaryIndexes[].OnDemandThroughput.MaxWriteRequestUnits"},
    {"GlobalSecondaryIndexes[].WarmThroughput"},
    {"GlobalSecondaryIndexes[].WarmThroughput.ReadUnitsPerSecond"},
    {"GlobalSecondaryIndexes[].WarmThroughput.WriteUnitsPerSecond"},
    {"GlobalSecondaryIndexes[].ContributorInsightsSpecification", Handling::kWarned, Change::kInPlace, "there are no insights"},
    {"LocalSecondaryIndexes", Handling::kApplied, Change::kReplaces},
    {"LocalSecondaryIndexes[].IndexName", Handling::kApplied, Change::kReplaces},
    {"LocalSecondaryIndexes[].KeySchema", Handling::kApplied, Change::kReplaces},
    {"LocalSecondaryIndexes[].KeySchema[].AttributeName", Handling::kApplied, Change::kReplaces},
    {"LocalSecondaryIndexes[].KeySchema[].KeyType", Handling::kApplied, Change::kReplaces},
    {"LocalSecondaryIndexes[].Projection", Handling::kApplied, Change::kReplaces},
    {"LocalSecondaryIndexes[].Projection.ProjectionType", Handling::kApplied, Change::kReplaces},
    {"LocalSecondaryIndexes[].Projection.NonKeyAttributes", Handling::kApplied, Change::kReplaces},
    {"DeletionProtectionEnabled"},
    {"TableClass"},
    {"Tags"},
    {"Tags[].Key"},
    {"Tags[].Value"},
    {"SSESpecification", Handling::kWarned, Change::kInPlace, "items are stored without encryption; encrypt the disk of the data directory"},
    {"PointInTimeRecoverySpecification"},
    {"PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"},
    {"PointInTimeRecoverySpecification.RecoveryPeriodInDays"},
    {"TimeToLiveSpecification"},
    {"TimeToLiveSpecification.AttributeName"},
    {"TimeToLiveSpecification.Enabled"},
    {"ContributorInsightsSpecification", Handling::kWarned, Change::kInPlace, "there are no insights"},
    {"StreamSpecification"},
    {"StreamSpecification.StreamViewType"},
    {"StreamSpecification.ResourcePolicy", Handling::kRefused, Change::kInPlace, "policies of streams are not implemented"},
    {"StreamSpecification.Tags", Handling::kRefused, Change::kInPlace, "streams have no tags"},
    {"VectorIndexes", Handling::kRefused, Change::kInPlace, kNoVectors},
    {"KinesisStreamSpecification", Handling::kRefused, Change::kInPlace, "Kinesis is not implemented"},
    {"ImportSourceSpecification", Handling::kRefused, Change::kReplaces, "ImportTable imports from S3; templates do not"},
    {"ResourcePolicy", Handling::kWarned, Change::kInPlace, kNotEvaluated},
};

}  // namespace parvis::dynamodb::rules
