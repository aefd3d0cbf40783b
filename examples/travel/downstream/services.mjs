// The company's microservices, small but real: flights on 4701, hotels on 4702, cars on 4703 (loopback).
// Each can be made slow or broken:   curl -X PUT localhost:4701/_behaviour -d '{"latencyMs":800,"failureRate":0.5}'
import { createServer } from "node:http";

const seedOf = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);

const services = {
  flights: { port: 4701, search: ({ from = "AMS", to = "LIS", date = "2027-05-01" }) =>
    ["KL", "TP", "HV"].map((carrier, index) => {
      const seed = seedOf(carrier + from + to + date);
      return { flightNumber: `${carrier}${100 + (seed % 900)}`, origin: from, destination: to,
        departsAt: `${date}T${String(7 + index * 4).padStart(2, "0")}:15:00Z`, durationMinutes: 95 + (seed % 120),
        fare: { amount: 79 + (seed % 240), currency: "EUR" }, seatsLeft: seed % 9, aircraft: "A32N", baggage: { cabin: 1, hold: seed % 2 } };
    }) },
  hotels: { port: 4702, search: ({ to = "LIS", nights = "3" }) =>
    ["Praça", "Miradouro", "Ribeira"].map((name) => {
      const seed = seedOf(name + to);
      return { hotelId: `${to}-${seed % 1000}`, title: `Hotel ${name}`, city: to, stars: 3 + (seed % 3),
        pricePerNight: { amount: 64 + (seed % 150), currency: "EUR" }, nights: Number(nights), freeCancellation: seed % 2 === 0 };
    }) },
  cars: { port: 4703, search: ({ to = "LIS" }) =>
    ["compact", "estate"].map((category) => {
      const seed = seedOf(category + to);
      return { id: `car-${seed % 10000}`, category, pickUp: to, dayRate: { amount: 28 + (seed % 40), currency: "EUR" }, electric: seed % 2 === 1 };
    }) },
};

for (const [name, { port, search }] of Object.entries(services)) {
  const behaviour = { latencyMs: 20, failureRate: 0 };
  createServer(async (request, response) => {
    const url = new URL(request.url, "http://localhost");
    const answer = (status, body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (url.pathname === "/_behaviour" && request.method === "PUT") {
      let text = "";
      for await (const piece of request) text += piece;
      try { Object.assign(behaviour, JSON.parse(text)); } catch { return answer(400, { error: "not JSON" }); }
      return answer(200, behaviour);
    }
    await new Promise((resolve) => setTimeout(resolve, behaviour.latencyMs));
    if (Math.random() < behaviour.failureRate) return answer(503, { error: `${name} is down` });
    if (url.pathname !== "/search") return answer(404, { error: `no such path: ${url.pathname}` });
    answer(200, { results: search(Object.fromEntries(url.searchParams)) });
  }).listen(port, "127.0.0.1", () => console.log(`${name} listens on 127.0.0.1:${port}`));
}
