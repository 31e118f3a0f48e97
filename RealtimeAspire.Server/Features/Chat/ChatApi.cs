using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>A room that has had events.</summary>
internal sealed record Room(string Topic, string Name, Position Position, DateTimeOffset LastEventAt);

/// <summary>The rooms, the one with the latest event first.</summary>
internal sealed record RoomList(IReadOnlyList<Room> Rooms);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(RoomList))]
internal sealed partial class ChatJson : JsonSerializerContext;

internal static class ChatApi
{
    private const int MaxRooms = 200;

    private const string Rooms = """
        select topic, epoch || (select realtime.incarnation()), last_offset, last_at
          from realtime.topics
         where tenant = $1 and topic like $2 and last_offset > 0
         order by last_at desc, topic
         limit $3
        """;

    public static async Task<JsonHttpResult<RoomList>> ListRoomsAsync(
        HttpContext context, RequestLimiter limits, NpgsqlDataSource dataSource, TopicCatalog topics, TopicAccess access)
    {
        var caller = Caller.From(context.User);
        limits.AdmitPage(caller, MaxRooms);
        var any = TopicName.Parse($"{TopicCatalog.Room}:any");
        access.RequireSubscribe(caller, topics.Get(any), any);
        try
        {
            await using var batch = dataSource.CreateReading(caller.Tenant);
            var command = new NpgsqlBatchCommand(Rooms);
            command.Parameters.Add(new NpgsqlParameter { Value = caller.Tenant });
            command.Parameters.Add(new NpgsqlParameter { Value = $"{TopicCatalog.Room}:%" });
            command.Parameters.Add(new NpgsqlParameter { Value = (long)MaxRooms });
            batch.BatchCommands.Add(command);
            await using var reader = await batch.ReadAsync(context.RequestAborted);
            List<Room> rooms = [];
            while (await reader.ReadAsync(context.RequestAborted))
            {
                var topic = TopicName.Parse(reader.GetString(0));
                var position = new Position(reader.GetString(1), reader.GetInt64(2));
                rooms.Add(new Room(topic.Value, topic.Identifier, position, reader.GetFieldValue<DateTimeOffset>(3)));
            }

            return TypedResults.Json(new RoomList(rooms), ChatJson.Default.RoomList);
        }
        catch (DbException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
        }
    }
}
