using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Chat.Files;

/// <summary>A file that was uploaded to a room.</summary>
/// <param name="Id">What messages name it by.</param>
/// <param name="Name">As its uploader called it.</param>
/// <param name="Type">As its content says.</param>
/// <param name="Bytes">How large it is.</param>
/// <param name="Width">Of a picture; a file that has it has a thumbnail.</param>
/// <param name="Height">Of a picture.</param>
internal sealed record FileEntry(string Id, string Name, string Type, long Bytes, int? Width, int? Height);

/// <summary>A file, and whose it is.</summary>
internal sealed record StoredFile(FileEntry Entry, TopicName Topic, string UploadedBy);

/// <summary>Takes files, and hands them to whoever may read a message that has them.</summary>
internal sealed class ChatFiles(Database database, IFileStore store, IOptions<ChatOptions> options) : IDisposable
{
    /// <summary>A picture that is being made smaller takes up to 200 MB.</summary>
    private const int PicturesAtOnce = 2;

    private const int IdBytes = 16;
    private const string ThumbnailSuffix = "-small";

    private const string Insert = """
        insert into realtime.chat_files (file_id, tenant, topic, name, type, bytes, width, height, uploaded_by)
        values ($1, $2, $3, $4, $5, $6, nullif($7, 0), nullif($8, 0), $9)
        """;

    private const string Find = "select file_id, name, type, bytes, width, height, topic, uploaded_by from realtime.chat_files where tenant = $1 and file_id = any($2)";

    private const string CountOwn = "select count(*) from realtime.chat_files where tenant = $1 and topic = $2 and uploaded_by = $3 and file_id = any($4)";

    // Not as the reading role: @> is not leakproof, so behind row-level security it would find no index. It answers no text.
    private const string IsShown = """
        select true from realtime.chat_messages where topic_id = $1 and attachments @> array[$2] and attachments <> '{}' and "offset" > $3 and deleted_at is null limit 1
        """;

    // A message may be on its way that names it; whoever deletes one takes its files away. While a room's messages are made of its log, nobody knows yet.
    private const string FindOld = """
        select f.tenant, f.file_id, f.created_at, not exists (
           select from realtime.topics t
            where t.tenant = f.tenant and t.topic = f.topic and (
              exists (select from realtime.chat_messages m where m.topic_id = t.topic_id and m.attachments @> array[f.file_id] and m.attachments <> '{}')
              or t.last_offset > 0 and not exists (select from realtime.chat_projections p where p.topic_id = t.topic_id and p.epoch = t.epoch and p."offset" >= t.last_offset)))
          from realtime.chat_files f
         where f.created_at < now() - interval '1 day' and (f.created_at, f.file_id) > ($1, $2)
         order by f.created_at, f.file_id limit 500
        """;

    private readonly SemaphoreSlim _shrinking = new(PicturesAtOnce);
    private readonly HashSet<string> _types = new(options.Value.FileTypes ?? FileKind.Known, StringComparer.Ordinal);

    /// <summary>Keeps a file: first its content, so that what is listed can be read.</summary>
    /// <param name="room">To which room.</param>
    /// <param name="name">Validated.</param>
    /// <param name="content">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>file_refused</c>, <c>log_unavailable</c>.</exception>
    public async Task<FileEntry> SaveAsync(RoomView room, string name, byte[] content, CancellationToken cancellationToken)
    {
        if (FileKind.Of(content) is not { } type || !_types.Contains(type))
        {
            throw new RealtimeException(ErrorCode.FileRefused);
        }

        Thumbnail? thumbnail = null;
        if (FileKind.IsPicture(type))
        {
            thumbnail = await ShrinkAsync(content, cancellationToken) ?? throw new RealtimeException(ErrorCode.FileRefused, "The picture cannot be read, or is too large.");
        }

        var (id, tenant) = (Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(IdBytes)), room.Topic.Tenant);
        await store.SaveAsync(tenant, id, content, cancellationToken);
        if (thumbnail is not null)
        {
            await store.SaveAsync(tenant, id + ThumbnailSuffix, thumbnail.Content, cancellationToken);
        }

        await database.RunAsync(
            Insert, cancellationToken, id, tenant, room.Topic.Name.Value, name, type, content.LongLength, thumbnail?.Width ?? 0, thumbnail?.Height ?? 0, room.Caller.UserId);
        return new FileEntry(id, name, type, content.LongLength, thumbnail?.Width, thumbnail?.Height);
    }

    private async Task<Thumbnail?> ShrinkAsync(byte[] content, CancellationToken cancellationToken)
    {
        await _shrinking.WaitAsync(cancellationToken);
        try
        {
            return Thumbnails.Make(content, options.Value.ThumbnailPixels);
        }
        finally
        {
            _shrinking.Release();
        }
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<IReadOnlyDictionary<string, FileEntry>> DescribeAsync(string tenant, IEnumerable<RoomMessage> messages, CancellationToken cancellationToken)
    {
        var ids = messages.SelectMany(static message => message.Attachments).Distinct(StringComparer.Ordinal).ToArray();
        return ids.Length == 0
            ? new Dictionary<string, FileEntry>()
            : (await FindAsync(tenant, ids, cancellationToken)).ToDictionary(static file => file.Entry.Id, static file => file.Entry, StringComparer.Ordinal);
    }

    /// <summary>Null: there is none of this id.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<StoredFile?> FindAsync(string tenant, string id, CancellationToken cancellationToken) =>
        await FindAsync(tenant, [id], cancellationToken) is [var file] ? file : null;

    /// <summary>Whether a message that he may read has it; before there is one, its uploader may.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> MayReadAsync(RoomView room, StoredFile file, CancellationToken cancellationToken) =>
        file.UploadedBy == room.Caller.UserId
        || (room.State is { } state && (await database.ReadAsync(IsShown, static _ => true, cancellationToken, state.TopicId, file.Entry.Id, room.Horizon)).Count > 0);

    /// <summary>Null: it is not there any more, or has no thumbnail.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task<byte[]?> ReadAsync(string tenant, FileEntry file, bool isSmall, CancellationToken cancellationToken) =>
        isSmall && file.Width is null ? Task.FromResult<byte[]?>(null) : store.FindAsync(tenant, isSmall ? file.Id + ThumbnailSuffix : file.Id, cancellationToken);

    /// <summary>Whether a user has uploaded all of these files to a room.</summary>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<bool> HasAsync(TopicKey topic, string user, string[] ids, CancellationToken cancellationToken) =>
        (await database.ReadAsync(CountOwn, static reader => reader.GetInt64(0), cancellationToken, topic.Tenant, topic.Name.Value, user, ids))[0] == ids.Distinct(StringComparer.Ordinal).Count();

    public void Dispose() => _shrinking.Dispose();

    /// <summary>Removes files that no message has, a day after they came.</summary>
    /// <returns>How many.</returns>
    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<int> SweepAsync(CancellationToken cancellationToken)
    {
        var removed = 0;
        for (var last = (At: DateTimeOffset.UnixEpoch, Id: (string?)""); last.Id is not null;)
        {
            var old = await database.ReadAsync(
                FindOld,
                static reader => (Tenant: reader.GetString(0), Id: reader.GetString(1), At: reader.GetFieldValue<DateTimeOffset>(2), IsLoose: reader.GetBoolean(3)),
                cancellationToken,
                last.At,
                last.Id);
            foreach (var (tenant, id, _, _) in old.Where(static file => file.IsLoose))
            {
                // What is left of one that is cut off here is removed by the next.
                await store.DeleteAsync(tenant, id + ThumbnailSuffix, cancellationToken);
                await store.DeleteAsync(tenant, id, cancellationToken);
                await database.RunAsync("delete from realtime.chat_files where file_id = $1", cancellationToken, id);
                removed++;
            }

            last = old is [.., var end] ? (end.At, end.Id) : default;
        }

        return removed;
    }

    private Task<IReadOnlyList<StoredFile>> FindAsync(string tenant, string[] ids, CancellationToken cancellationToken) => database.ReadAsync(
        Find,
        static reader => new StoredFile(
            new FileEntry(
                reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetInt64(3), reader.IsDBNull(4) ? null : reader.GetInt32(4), reader.IsDBNull(5) ? null : reader.GetInt32(5)),
            TopicName.Parse(reader.GetString(6)),
            reader.GetString(7)),
        cancellationToken,
        tenant,
        ids);
}
