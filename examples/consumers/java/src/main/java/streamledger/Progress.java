package streamledger;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * The results so far and the next offsets. Both are in one file that is replaced as a whole, like in one transaction of your
 * database: after a crash neither is ahead of the other.
 */
public class Progress {
  private static final int REMEMBERED_MAX = 1_000;
  private static final ObjectMapper JSON = new ObjectMapper();

  /** The next offset, by partition. */
  public TreeMap<Integer, Long> next = new TreeMap<>();
  /** The last sequence, by wallet. */
  public TreeMap<Long, Long> last = new TreeMap<>();
  /** "wallet/sequence" of missing events. */
  public Set<String> missing = new LinkedHashSet<>();
  public long events;
  public long faults;

  public static Progress load(Path file) throws IOException {
    return Files.exists(file) ? JSON.readValue(file.toFile(), Progress.class) : new Progress();
  }

  /** Takes one event. Returns the fault in its order, if any. */
  public Optional<String> take(int partition, long offset, String value) throws IOException {
    if (offset < next.getOrDefault(partition, 0L)) return Optional.empty(); // delivered again, already counted
    next.put(partition, offset + 1);
    events += 1;
    var event = JSON.readTree(value);
    var fault = check(event.get("wallet_id").longValue(), event.get("sequence").longValue());
    if (fault != null) faults += 1;
    return Optional.ofNullable(fault).map(text -> text + " (partition " + partition + ", offset " + offset + ")");
  }

  private String check(long wallet, long sequence) {
    long before = last.getOrDefault(wallet, 0L);
    last.put(wallet, Math.max(before, sequence));
    if (sequence == before + 1) return null;
    if (sequence > before) {
      for (long left = before + 1; left < sequence && missing.size() < REMEMBERED_MAX; left++) {
        missing.add(wallet + "/" + left);
      }
      return "gap: wallet " + wallet + " went from " + before + " to " + sequence;
    }
    return missing.remove(wallet + "/" + sequence)
        ? "out of order: wallet " + wallet + " got " + sequence + " after " + before
        : "double: wallet " + wallet + " had " + sequence + " before";
  }

  public void save(Path file) throws IOException {
    var draft = Path.of(file + ".new");
    JSON.writeValue(draft.toFile(), this);
    Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
