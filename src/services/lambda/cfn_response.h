// lambda/cfn_response.h: the module `cfn-response` that inline code (Code.ZipFile) finds beside it, as on AWS. The interface is AWS's, the
// code our own. Source: CloudFormation User Guide, "cfn-response module".
#pragma once

#include <string_view>

namespace parvis::lambda {

inline constexpr std::string_view kCfnResponsePath = "node_modules/cfn-response/index.js";
inline constexpr std::string_view kCfnResponse = R"js('use strict';
const clients = { 'http:': require('node:http'), 'https:': require('node:https') };

exports.SUCCESS = 'SUCCESS';
exports.FAILED = 'FAILED';

// Answers CloudFormation. Gives a promise, which handlers of the old kind need not wait for: context.done() is called at the end.
exports.send = (event, context, responseStatus, responseData, physicalResourceId, noEcho) => new Promise((resolve) => {
  const body = JSON.stringify({
    Status: responseStatus,
    Reason: 'See the details in CloudWatch Log Stream: ' + context.logStreamName,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: responseData,
  });
  const end = () => {
    resolve();
    if (typeof context.done === 'function') context.done();
  };
  const url = new URL(event.ResponseURL);
  const request = clients[url.protocol].request(url, {
    method: 'PUT',
    headers: { 'content-type': '', 'content-length': Buffer.byteLength(body) },
  }, (response) => {
    response.resume();
    response.on('end', end);
  });
  request.on('error', (error) => {
    console.log('cfn-response: the answer could not be sent: ' + error);
    end();
  });
  request.end(body);
});
)js";

}  // namespace parvis::lambda
