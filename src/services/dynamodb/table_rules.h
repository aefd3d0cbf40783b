// dynamodb/table_rules.h: what happens to each property of AWS::DynamoDB::Table.
// Source: CloudFormation Template Reference.
#pragma once

#include "aws/resource_type.h"

namespace parvis::dynamodb::rules {

using Handling = aws::PropertyRule::Handling;
using Change = aws::PropertyRule::Change;

inline constexpr std::string_view kOneMachine = "capacity is not limited on your own machines";
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
    {"ProvisionedThroughput.ReadCapacityUnits", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"ProvisionedThroughput.WriteCapacityUnits", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"OnDemandThroughput", Handling::kWarned, Change::kInPlace, "not applied: request rates are not limited"},
    {"OnDemandThroughput.MaxReadRequestUnits", Handling::kWarned, Change::kInPlace, "not applied"},
    {"OnDemandThroughput.MaxWriteRequestUnits", Handling::kWarned, Change::kInPlace, "not applied"},
    {"WarmThroughput", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"WarmThroughput.ReadUnitsPerSecond", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"WarmThroughput.WriteUnitsPerSecond", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"GlobalSecondaryIndexes"},
    {"GlobalSecondaryIndexes[].IndexName"},
    {"GlobalSecondaryIndexes[].KeySchema"},
    {"GlobalSecondaryIndexes[].KeySchema[].AttributeName"},
    {"GlobalSecondaryIndexes[].KeySchema[].KeyType"},
    {"GlobalSecondaryIndexes[].Projection"},
    {"GlobalSecondaryIndexes[].Projection.ProjectionType"},
    {"GlobalSecondaryIndexes[].Projection.NonKeyAttributes"},
    {"GlobalSecondaryIndexes[].ProvisionedThroughput"},
    {"GlobalSecondaryIndexes[].ProvisionedThroughput.ReadCapacityUnits", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"GlobalSecondaryIndexes[].ProvisionedThroughput.WriteCapacityUnits", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"GlobalSecondaryIndexes[].OnDemandThroughput", Handling::kWarned, Change::kInPlace, "not applied"},
    {"GlobalSecondaryIndexes[].OnDemandThroughput.MaxReadRequestUnits", Handling::kWarned, Change::kInPlace, "not applied"},
    {"GlobalSecondaryIndexes[].OnDemandThroughput.MaxWriteRequestUnits", Handling::kWarned, Change::kInPlace, "not applied"},
    {"GlobalSecondaryIndexes[].WarmThroughput", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"GlobalSecondaryIndexes[].WarmThroughput.ReadUnitsPerSecond", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"GlobalSecondaryIndexes[].WarmThroughput.WriteUnitsPerSecond", Handling::kNeutral, Change::kInPlace, kOneMachine},
    {"GlobalSecondaryIndexes[].ContributorInsightsSpecification", Handling::kWarned, Change::kInPlace, "not applied"},
    {"GlobalSecondaryIndexes[].ContributorInsightsSpecification.Enabled", Handling::kWarned, Change::kInPlace, "not applied"},
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
    {"SSESpecification", Handling::kWarned, Change::kInPlace, "not applied: encrypt the disk of the data directory instead"},
    {"SSESpecification.SSEEnabled", Handling::kWarned, Change::kInPlace, "not applied"},
    {"SSESpecification.SSEType", Handling::kWarned, Change::kInPlace, "not applied"},
    {"SSESpecification.KMSMasterKeyId", Handling::kWarned, Change::kInPlace, "not applied"},
    {"PointInTimeRecoverySpecification"},
    {"PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"},
    {"PointInTimeRecoverySpecification.RecoveryPeriodInDays"},
    {"TimeToLiveSpecification"},
    {"TimeToLiveSpecification.AttributeName"},
    {"TimeToLiveSpecification.Enabled"},
    {"ContributorInsightsSpecification", Handling::kWarned, Change::kInPlace, "not applied: there are no insights yet"},
    {"ContributorInsightsSpecification.Enabled", Handling::kWarned, Change::kInPlace, "not applied"},
    {"ContributorInsightsSpecification.Mode", Handling::kWarned, Change::kInPlace, "not applied"},
    {"StreamSpecification"},
    {"StreamSpecification.StreamViewType"},
    {"StreamSpecification.ResourcePolicy", Handling::kRefused, Change::kInPlace, "policies of streams are not implemented"},
    {"KinesisStreamSpecification", Handling::kRefused, Change::kInPlace, "Kinesis is not implemented"},
    {"ImportSourceSpecification", Handling::kRefused, Change::kReplaces, "import from S3 is not implemented"},
    {"ResourcePolicy", Handling::kWarned, Change::kInPlace, kNotEvaluated},
    {"ResourcePolicy.PolicyDocument", Handling::kWarned, Change::kInPlace, kNotEvaluated},
};

}  // namespace parvis::dynamodb::rules
