using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Npgsql;

namespace RealtimeAspire.Benchmarks.Load;

/// <summary>A room with a million messages: a log as it would be, and the server's own tables of it.</summary>
internal sealed class LongRoom : IDisposable
{
    public const int Messages = 1_000_000;

    /// <summary>Further events, each of which deletes a message.</summary>
    public const int Deleted = 1_000;

    /// <summary>Has read the first message.</summary>
    public const int Late = 0;

    /// <summary>Has read all but a few.</summary>
    public const int Current = 1;

    /// <summary>Somewhere in each second message.</summary>
    public const string Frequent = "often";

    /// <summary>In each hundredth message.</summary>
    public const string Occasional = "lantern";

    /// <summary>In twenty messages.</summary>
    public const string Rare = "seldom";

    /// <summary>In each third message of the oldest quarter, and in none since.</summary>
    public const string Once = "bygone";

    public const int OtherRooms = 100;

    private const int AtOnce = 50_000, Authors = 50, OtherMessages = 20, LeftUnread = 5;

    private const string Begin = "insert into realtime.topics (tenant, topic) values ('default', $1)";

    // Some twelve words out of thousands, few of them frequent, as in a language.
    private const string Text = """
        concat_ws(' ', (select string_agg('w' || floor(power(random(), 3) * 20000), ' ') from generate_series(1, 6 + i % 12)),
                       case when i % 2 = 0 then 'often' end, case when i % 100 = 0 then 'lantern' end, case when i % 50000 = 7 then 'seldom' end,
                       case when i % 3 = 0 and i < $4 / 4 then 'bygone' end)
        """;

    // What realtime.publish writes, for many at once: one at a time, a topic that has just been written to is slow.
    private const string Append = $"""
        with head as (
          update realtime.topics t set last_offset = $3, last_at = $6 + $3 * interval '0.5 milliseconds' where t.tenant = 'default' and t.topic = $1 returning t.topic_id),
        said as materialized (
          select i as place, md5(random()::text) as id, date_trunc('milliseconds', $6 + i * interval '0.5 milliseconds') as at,
                 case when i <= $4 then 'chat:message' else 'chat:delete' end as event,
                 case when i <= $4 then 'author-' || i % $5 end as publisher,
                 case when i > $4 then ((i - $4) * 1000)::text end as entity,
                 case when i <= $4 then json_build_object('text', {Text}, 'mentions', case when i % 100 = 3 then array['user-0'] else array[]::text[] end)::text else json_build_object()::text end as payload
            from generate_series($2::bigint, $3::bigint) i),
        logged as (
          insert into realtime.events (tenant, topic_id, "offset", id, event, version, entity_id, payload, user_id, created_at, retention_class)
          select 'default', h.topic_id, s.place, s.id, s.event, 1, s.entity, s.payload, s.publisher, s.at, (select retention_class from realtime.topic_types where type = 'room')
            from head h, said s),
        ids as (
          insert into realtime.event_ids (tenant, topic_id, publisher, id, "offset", content, created_at)
          select 'default', h.topic_id, coalesce(s.publisher, ''), s.id, s.place, realtime.content_hash(s.event, 1, s.entity, s.payload), s.at from head h, said s)
        select pg_notify('realtime_events', 'default/' || $1)
        """;

    private const string Publish = """
        select count(p."offset") from generate_series(1, $2::int) i cross join lateral realtime.publish(
          $1, 'chat:message', json_build_object('text', 'w' || i || ' often'), publisher => 'author-' || i) p
        """;

    private static readonly TimeSpan Glance = TimeSpan.FromSeconds(1);

    private readonly HttpClient[] _users;

    private LongRoom(LoadRun run)
    {
        Name = $"long-{run.Job.Run}";
        _users = [.. new[] { Late, Current }.Select(user => new HttpClient
        {
            BaseAddress = run.SubscriberNode,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", run.TokenOf(user)) },
        })];
    }

    public string Name { get; }

    public DateTimeOffset First { get; private set; }

    public DateTimeOffset Last { get; private set; }

    public static async Task<LongRoom> MakeAsync(LoadRun run)
    {
        var room = new LongRoom(run);
        await using var source = NpgsqlDataSource.Create(run.Job.Surroundings.Postgres);
        await RunAsync(source, Begin, $"room:{room.Name}");
        var first = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-10);
        for (var from = 1L; from <= Messages + Deleted; from += AtOnce)
        {
            await RunAsync(source, Append, $"room:{room.Name}", from, Math.Min(from + AtOnce - 1, Messages + Deleted), (long)Messages, (long)Authors, first);
            await LoadRun.PassAsync();
        }

        for (var other = 0; other < OtherRooms; other++)
            await RunAsync(source, Publish, $"room:{room.Name}-{other}", OtherMessages);
        await room.AwaitAsync($"/rooms/{room.Name}");
        // As the database does by itself after so many rows, some minutes later.
        foreach (var table in (string[])["chat_messages", "chat_counts", "topics", "events"])
            await RunAsync(source, $"vacuum analyze realtime.{table}");
        foreach (var (user, offset) in ((int, int)[])[(Late, 1), (Current, Messages - LeftUnread)])
            (await room._users[user].PostAsJsonAsync($"/rooms/{room.Name}/read", new { offset })).EnsureSuccessStatusCode();
        await room.CheckAsync();
        return room;
    }

    /// <summary>Asks as a user, and reads the whole answer.</summary>
    public async Task<JsonElement> GetAsync(int user, string path) => JsonElement.Parse(await _users[user].GetStringAsync(path));

    public void Dispose()
    {
        foreach (var user in _users)
            user.Dispose();
    }

    /// <summary>Until the server has made the room's messages of its log.</summary>
    private async Task AwaitAsync(string path)
    {
        while (true)
        {
            using var answer = await _users[Late].GetAsync(path);
            if (answer.IsSuccessStatusCode)
                return;
            if ((int)answer.StatusCode < 500)
                throw new BenchmarkException($"The server refused {path}: {await answer.Content.ReadAsStringAsync()}");
            await Task.Delay(Glance, TimeProvider.System);
            await LoadRun.PassAsync();
        }
    }

    /// <summary>Exact, or there is nothing to measure.</summary>
    private async Task CheckAsync()
    {
        foreach (var (user, expected) in ((int, int)[])[(Late, Messages - Deleted - 1), (Current, LeftUnread - 1)])
        {
            var unread = (await GetAsync(user, $"/rooms/{Name}")).GetProperty("unread").GetInt32();
            if (unread != expected)
                throw new BenchmarkException($"The server counts {unread} unread messages instead of {expected}.");
        }

        First = await TimeAsync(1);
        Last = await TimeAsync(Messages);

        async Task<DateTimeOffset> TimeAsync(int id) => (await GetAsync(Late, $"/rooms/{Name}/messages/{id}")).GetProperty("at").GetDateTimeOffset();
    }

    private static async Task RunAsync(NpgsqlDataSource source, string sql, params object[] values)
    {
        await using var command = source.CreateCommand(sql);
        command.CommandTimeout = 0;
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        await command.ExecuteNonQueryAsync();
    }
}
