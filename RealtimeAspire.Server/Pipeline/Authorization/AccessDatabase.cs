using Npgsql;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>Statements about who may do what, for which whoever comes in waits.</summary>
internal sealed class AccessDatabase(NpgsqlDataSource? dataSource) : Database(dataSource, TimeSpan.FromSeconds(2), "Who may do what cannot be reached; try again.");
