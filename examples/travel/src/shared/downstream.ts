// What the microservices answer, and how both back ends call them: in parallel, each with a deadline, none able to
// take the others down.
export interface Money { amount: number; currency: string }
export interface Flight { flightNumber: string; origin: string; destination: string; departsAt: string; durationMinutes: number; fare: Money; seatsLeft: number }
export interface Hotel { hotelId: string; title: string; city: string; stars: number; pricePerNight: Money; nights: number; freeCancellation: boolean }
export interface Car { id: string; category: string; pickUp: string; dayRate: Money; electric: boolean }

export interface Query { from: string; to: string; date: string; nights: number }
export interface Found<T> { items: T[]; error?: string }

const kDeadlineMs = 2000;

async function search<T>(base: string | undefined, query: Query): Promise<Found<T>> {
  if (!base) return { items: [], error: "not configured" };
  const url = new URL("/search", base);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(kDeadlineMs) });
    if (!answer.ok) return { items: [], error: `answered ${answer.status}` };
    return { items: ((await answer.json()) as { results: T[] }).results };
  } catch (error) {
    return { items: [], error: error instanceof Error ? error.message : String(error) };
  }
}

export async function searchAll(query: Query) {
  const [flights, hotels, cars] = await Promise.all([
    search<Flight>(process.env.FLIGHTS_URL, query),
    search<Hotel>(process.env.HOTELS_URL, query),
    search<Car>(process.env.CARS_URL, query),
  ]);
  return { flights, hotels, cars };
}

export function parseQuery(parameters: Record<string, string | undefined> | null | undefined): Query | string {
  const { from = "AMS", to = "LIS", date = "2027-05-01", nights = "3" } = parameters ?? {};
  if (!/^[A-Z]{3}$/.test(from) || !/^[A-Z]{3}$/.test(to)) return "from and to are three-letter airport codes";
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) return "date is written as 2027-05-01";
  if (!/^[1-9]\d?$/.test(nights)) return "nights is a number from 1 to 99";
  return { from, to, date, nights: Number(nights) };
}
