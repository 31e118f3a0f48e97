using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Checker.Load;

/// <summary>Over server-sent events: one response after another, each from the id of the last frame that came.</summary>
internal sealed class StreamReadingLine(string user, ReadingLogs logs, Func<int, Uri> address, LoadOptions options, Tally tally, TimeProvider time) : IReadingLine
{
    private string? _lastId;

    public async Task ReadAsync(int connection, CancellationToken over)
    {
        using var api = new HttpApi(user, options, time);
        using var response = await api.OpenStreamAsync(address(connection), logs.Topics, _lastId, over);
        try
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(over));
            var frames = new FrameReader(reader, time);
            while (await frames.NextAsync(over) is { } frame)
            {
                var farewell = Take(connection, frame);
                _lastId = frame.Id ?? _lastId;
                if (farewell is not null)
                {
                    tally.TakeLeave(user, farewell.Code ?? farewell.Type);
                    await Pacing.WaitAsync(TimeSpan.FromMilliseconds(farewell.RetryAfterMs ?? 0), time, over);
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or TimeoutException)
        {
            // It has broken off, or is silent for longer than a live one ever is.
        }

        if (!over.IsCancellationRequested)
        {
            tally.TakeLeave(user, null);
        }
    }

    /// <summary>Gives what the stream says of its end.</summary>
    private Control? Take(int connection, Frame frame)
    {
        switch (frame.Name)
        {
            case "subscribed":
                Begin(connection, frame.Data);
                return null;
            case "control":
                return Obey(connection, JsonSerializer.Deserialize(frame.Data, RealtimeJson.Default.Control)!);
            case null:
                logs.Arrive(connection, JsonSerializer.Deserialize(frame.Data, RealtimeJson.Default.TopicEvent)!);
                return null;
            default:
                return null;
        }
    }

    /// <summary>From where each topic goes on. What the reader asked for is what it has: the id says so, or nothing has come yet.</summary>
    private void Begin(int connection, string data)
    {
        using var start = JsonDocument.Parse(data);
        foreach (var topic in start.RootElement.GetProperty("topics").EnumerateArray())
        {
            GoOn(
                connection,
                topic.GetProperty("topic").GetString()!,
                topic.GetProperty("position").Deserialize(RealtimeJson.Default.Position),
                topic.GetProperty("recovery").Deserialize(RealtimeJson.Default.Recovery));
        }
    }

    private Control? Obey(int connection, Control control)
    {
        if (control.Topic is not { } topic)
        {
            return control;
        }

        switch (control.Type)
        {
            case Control.Reset:
                logs[topic].Reset(connection);
                return null;
            case Control.Subscribed when control.Position is { } position:
                // Another position than the reader's own is the word that what lies between is gone.
                GoOn(connection, topic, position, logs[topic].At == position ? Recovery.Recovered : Recovery.NewEpoch);
                return null;
            default:
                return control.Type == Control.Unsubscribed ? control : null;
        }
    }

    private void GoOn(int connection, string topic, Position position, Recovery recovery)
    {
        logs[topic].Ask(connection);
        logs.Tell(connection, new SubscribeReply { Topic = topic, Position = position, Recovery = recovery, Events = [], More = false });
    }
}
