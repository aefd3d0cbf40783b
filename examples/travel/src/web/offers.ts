import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { json, refuse } from "../shared/answers";
import { parseQuery, searchAll } from "../shared/downstream";

// GET /offers?from=AMS&to=LIS&date=2027-05-01&nights=3: everything the web page shows, priced as a package.
export const handler = async (event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> => {
  const query = parseQuery(event.queryStringParameters);
  if (typeof query === "string") return refuse(400, query);
  const { flights, hotels, cars } = await searchAll(query);
  const unavailable = Object.entries({ flights, hotels, cars }).filter(([, found]) => found.error).map(([name]) => name);
  console.log(`offers ${query.from} to ${query.to}: ${flights.items.length} flights, unavailable: ${unavailable.join() || "none"}`);
  if (unavailable.length === 3) return refuse(502, "No travel service answers; try again later.");
  const packages = flights.items.flatMap((flight) => hotels.items.map((hotel) => ({
    flight: flight.flightNumber, hotel: hotel.hotelId,
    total: flight.fare.amount + hotel.pricePerNight.amount * hotel.nights, currency: flight.fare.currency,
  }))).sort((a, b) => a.total - b.total);
  return json(200, { query, flights: flights.items, hotels: hotels.items, cars: cars.items, packages, unavailable });
};
