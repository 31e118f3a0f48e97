using System.Net;
using System.Net.Http;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using MimeKit;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>What a user wants, where he gets what does not come live, and what there is to choose from.</summary>
/// <param name="Kinds">Every kind, with what holds for it.</param>
/// <param name="QuietHours">Null: none.</param>
/// <param name="Channels">What the server has beside the inbox: <c>push</c>, <c>email</c>.</param>
/// <param name="Email">Where mail goes, as a backend has told it; null: nowhere.</param>
internal sealed record PreferencesReply(IReadOnlyDictionary<string, KindPreference> Kinds, QuietHours? QuietHours, IReadOnlyList<string> Channels, string? Email);

/// <summary>A browser's push subscription, as its <c>toJSON()</c> gives it.</summary>
/// <param name="Endpoint">The push service's address for it.</param>
/// <param name="Keys">With which it is encrypted for.</param>
internal sealed record DeviceRequest(string? Endpoint, DeviceKeys? Keys);

/// <summary>The keys of a push subscription, base64url.</summary>
/// <param name="P256dh">Its public key.</param>
/// <param name="Auth">Its secret.</param>
internal sealed record DeviceKeys(string? P256dh, string? Auth);

/// <summary>A device that Web Push reaches.</summary>
/// <param name="Device">Its name: that of the consumer with which it acknowledges.</param>
/// <param name="CreatedAt">Since when.</param>
internal sealed record DeviceEntry(string Device, DateTimeOffset CreatedAt);

/// <summary>The devices that Web Push reaches.</summary>
/// <param name="Devices">By name.</param>
/// <param name="PublicKey">With which browsers subscribe (<c>applicationServerKey</c>); null: the server has no Web Push.</param>
internal sealed record DeviceList(IReadOnlyList<DeviceEntry> Devices, string? PublicKey);

/// <summary>What recipients have chosen, and where they are reached.</summary>
internal sealed class RecipientStore(Database database, NotificationKinds kinds, DeliveryChannels channels, IOptions<NotificationOptions> options)
{
    private const int MaxDevices = 20;
    private const int MaxEndpoint = 1_000;
    private const int MaxEmail = 254;
    private const int PointBytes = 65;
    private const int AuthBytes = 16;

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<PreferencesReply> ReadPreferencesAsync(Caller caller, CancellationToken cancellationToken)
    {
        var rows = await database.ReadAsync(
            caller.Tenant,
            "select preferences, email from realtime.inboxes where tenant = $1 and user_id = $2",
            reader => (Preferences: Preferences.Read(Database.TextAt(reader, 0)), Email: Database.TextAt(reader, 1)),
            cancellationToken,
            caller.Tenant,
            caller.UserId);
        return rows is [var row] ? ToReply(row.Preferences, row.Email) : ToReply(Preferences.None, email: null);
    }

    /// <summary>Replaces all that was chosen.</summary>
    /// <exception cref="RealtimeException"><c>kind_unknown</c>, <c>request_invalid</c>, <c>log_unavailable</c>.</exception>
    public async Task<PreferencesReply> WritePreferencesAsync(Caller caller, Preferences wanted, CancellationToken cancellationToken)
    {
        var preferences = wanted.Require(kinds);
        var email = await database.ReadAsync(
            """
            insert into realtime.inboxes as i (tenant, user_id, preferences) values ($1, $2, $3)
                on conflict (tenant, user_id) do update set preferences = excluded.preferences
            returning i.email
            """,
            reader => Database.TextAt(reader, 0),
            cancellationToken,
            caller.Tenant,
            caller.UserId,
            preferences.ToJson());
        return ToReply(preferences, email[0]);
    }

    /// <summary>Where a user's mail goes, on the word of who may tell him things; null: nowhere.</summary>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>log_unavailable</c>.</exception>
    public Task SetEmailAsync(string tenant, string user, string? email, CancellationToken cancellationToken)
    {
        if (email is not null && (email.Length > MaxEmail || !MailboxAddress.TryParse(email, out var address) || address.Address != email))
        {
            throw new RealtimeException(ErrorCode.RequestInvalid, "email is one address, without a name, or null.");
        }

        return database.ReadAsync(
            "insert into realtime.inboxes (tenant, user_id, email) values ($1, $2, $3::text) on conflict (tenant, user_id) do update set email = excluded.email",
            static _ => 0,
            cancellationToken,
            tenant,
            user,
            email);
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public async Task<DeviceList> ListDevicesAsync(Caller caller, CancellationToken cancellationToken) => new(
        await database.ReadAsync(
            caller.Tenant,
            "select device, created_at from realtime.inbox_devices where tenant = $1 and user_id = $2 order by device",
            reader => new DeviceEntry(reader.GetString(0), reader.GetFieldValue<DateTimeOffset>(1)),
            cancellationToken,
            caller.Tenant,
            caller.UserId),
        options.Value.Push.IsOn ? options.Value.Push.PublicKey : null);

    /// <summary>A browser is one device of one user: who had it before has it no more.</summary>
    /// <param name="caller">Whose device it is.</param>
    /// <param name="device">Its name, validated.</param>
    /// <param name="request">Untrusted; validated here.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException"><c>request_invalid</c>, <c>quota_exceeded</c>, <c>log_unavailable</c>.</exception>
    public async Task SetDeviceAsync(Caller caller, string device, DeviceRequest request, CancellationToken cancellationToken)
    {
        var endpoint = RequireEndpoint(request.Endpoint);
        RequireKeys(request.Keys);
        await database.TransactAsync(
            async connection =>
            {
                await Database.ReadAsync(
                    connection,
                    "delete from realtime.inbox_devices where endpoint = $3 and not (tenant = $1 and user_id = $2 and device = $4)",
                    static _ => 0, cancellationToken, caller.Tenant, caller.UserId, endpoint, device);
                await Database.ReadAsync(
                    connection,
                    """
                    insert into realtime.inbox_devices (tenant, user_id, device, endpoint, p256dh, auth) values ($1, $2, $3, $4, $5, $6)
                        on conflict (tenant, user_id, device) do update set endpoint = excluded.endpoint, p256dh = excluded.p256dh, auth = excluded.auth
                    """,
                    static _ => 0, cancellationToken, caller.Tenant, caller.UserId, device, endpoint, request.Keys!.P256dh, request.Keys.Auth);
                var count = await Database.ReadAsync(
                    connection, "select count(*) from realtime.inbox_devices where tenant = $1 and user_id = $2", static reader => reader.GetInt64(0), cancellationToken, caller.Tenant, caller.UserId);
                return count[0] <= MaxDevices ? true : throw new RealtimeException(ErrorCode.QuotaExceeded, $"A user has at most {MaxDevices} devices; remove one first.");
            },
            cancellationToken);
    }

    /// <exception cref="RealtimeException"><c>log_unavailable</c>.</exception>
    public Task RemoveDeviceAsync(Caller caller, string device, CancellationToken cancellationToken) => database.ReadAsync(
        "delete from realtime.inbox_devices where tenant = $1 and user_id = $2 and device = $3", static _ => 0, cancellationToken, caller.Tenant, caller.UserId, device);

    private PreferencesReply ToReply(Preferences preferences, string? email) => new(
        kinds.All.ToDictionary(
            kind => kind.Name,
            kind => new KindPreference(
                preferences.Takes(kind),
                preferences.Takes(kind, Channel.Push),
                preferences.Takes(kind, Channel.Email)),
            StringComparer.Ordinal),
        preferences.QuietHours,
        channels.Names,
        email);

    /// <summary>The server will send something there: https, and to no address that is its own network's. Names are looked at when it connects.</summary>
    private string RequireEndpoint(string? endpoint)
    {
        var isOpen = options.Value.Push.AllowPrivateAddresses;
        return endpoint is { Length: <= MaxEndpoint } && Uri.TryCreate(endpoint, UriKind.Absolute, out var address)
            && (address.Scheme == Uri.UriSchemeHttps || (isOpen && address.Scheme == Uri.UriSchemeHttp)) && address.UserInfo.Length == 0
            && (isOpen || !IPAddress.TryParse(address.IdnHost, out var ip) || PushDoor.IsPublic(ip))
            ? endpoint
            : throw new RealtimeException(ErrorCode.RequestInvalid, $"An endpoint is the https address of a push service, of up to {MaxEndpoint} characters.");
    }

    private static void RequireKeys(DeviceKeys? keys)
    {
        try
        {
            var point = System.Buffers.Text.Base64Url.DecodeFromChars(keys?.P256dh);
            if (point.Length == PointBytes && point[0] == 4 && System.Buffers.Text.Base64Url.DecodeFromChars(keys!.Auth).Length == AuthBytes)
            {
                // Throws where the point is not on the curve.
                using var key = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = point[1..33], Y = point[33..] } });
                return;
            }
        }
        catch (Exception exception) when (exception is FormatException or CryptographicException)
        {
            // Said below.
        }

        throw new RealtimeException(ErrorCode.RequestInvalid, "The keys of a push subscription are p256dh, a point of P-256, and auth, 16 bytes, in base64url.");
    }
}
