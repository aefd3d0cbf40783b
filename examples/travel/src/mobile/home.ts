import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { json, refuse } from "../shared/answers";
import { parseQuery, searchAll } from "../shared/downstream";

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const TableName = process.env.TABLE_NAME;

// GET /home/{device}: the start screen in one small answer. PUT /home/{device}: what this device likes to see.
export const handler = async (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => {
  const device = event.pathParameters?.device;
  if (!device) return refuse(400, "device is missing");
  return event.requestContext.http.method === "PUT" ? prefer(device, bodyOf(event)) : home(device);
};

// An HTTP API hands a body over as base64 unless its content type says that it is text.
const bodyOf = ({ body, isBase64Encoded }: APIGatewayProxyEventV2) =>
  body && isBase64Encoded ? Buffer.from(body, "base64").toString() : body;

async function prefer(device: string, body: string | undefined) {
  let wish: { from?: string; to?: string };
  try { wish = JSON.parse(body ?? ""); } catch { return refuse(400, "the body is not JSON"); }
  const query = parseQuery(wish);
  if (typeof query === "string") return refuse(400, query);
  await table.send(new PutCommand({ TableName, Item: { device, from: query.from, to: query.to } }));
  return json(200, { from: query.from, to: query.to });
}

async function home(device: string) {
  const { Item } = await table.send(new GetCommand({ TableName, Key: { device } }));
  const query = parseQuery({ from: Item?.from, to: Item?.to });
  if (typeof query === "string") return refuse(500, query);
  const { flights, hotels } = await searchAll(query);
  const cheapest = flights.items.toSorted((a, b) => a.fare.amount - b.fare.amount)[0];
  const best = hotels.items.toSorted((a, b) => b.stars - a.stars)[0];
  return json(200, {
    to: query.to,
    fly: cheapest && { no: cheapest.flightNumber, at: cheapest.departsAt.slice(0, 16), eur: cheapest.fare.amount },
    stay: best && { name: best.title, eur: best.pricePerNight.amount },
  });
}
