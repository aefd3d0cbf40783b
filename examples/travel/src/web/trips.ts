import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { randomUUID } from "node:crypto";
import { json, refuse } from "../shared/answers";

const table = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const TableName = process.env.TABLE_NAME;

interface Booking { traveller: string; flight: string; hotel?: string; departure: string }

// POST /trips and GET/DELETE /travellers/{traveller}/trips[/{tripId}]: trips in the web front end's own table.
export const handler = async (event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> => {
  const { traveller, tripId } = event.pathParameters ?? {};
  if (event.httpMethod === "POST") return book(event.body);
  if (!traveller) return refuse(400, "traveller is missing");
  if (!tripId) return list(traveller);
  return event.httpMethod === "DELETE" ? cancel(traveller, tripId) : get(traveller, tripId);
};

async function book(body: string | null): Promise<APIGatewayProxyResult> {
  let booking: Partial<Booking>;
  try { booking = JSON.parse(body ?? ""); } catch { return refuse(400, "the body is not JSON"); }
  const { traveller, flight, hotel, departure } = booking;
  if (!traveller || !flight || !departure) return refuse(400, "traveller, flight and departure are required");
  const Item = { traveller, tripId: randomUUID(), flight, hotel, departure, bookedAt: new Date().toISOString() };
  await table.send(new PutCommand({ TableName, Item: JSON.parse(JSON.stringify(Item)), ConditionExpression: "attribute_not_exists(tripId)" }));
  console.log(`booked ${Item.tripId} for ${traveller}`);
  return json(201, Item);
}

async function list(traveller: string) {
  const found = await table.send(new QueryCommand({
    TableName, IndexName: "byDeparture", KeyConditionExpression: "traveller = :t", ExpressionAttributeValues: { ":t": traveller },
  }));
  return json(200, { trips: found.Items ?? [] });
}

async function get(traveller: string, tripId: string) {
  const { Item } = await table.send(new GetCommand({ TableName, Key: { traveller, tripId } }));
  return Item ? json(200, Item) : refuse(404, "no such trip");
}

async function cancel(traveller: string, tripId: string) {
  const { Attributes } = await table.send(new DeleteCommand({ TableName, Key: { traveller, tripId }, ReturnValues: "ALL_OLD" }));
  return Attributes ? json(200, { cancelled: tripId }) : refuse(404, "no such trip");
}
